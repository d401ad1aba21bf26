import { lstat, realpath } from 'node:fs/promises';
import { basename, dirname, isAbsolute, join, relative, resolve } from 'node:path';
import { NamedError } from './named-error.ts';

/**
 * Where a path really leads, when that is in one of the folders or is one of them.
 * @param path absolute; need not be there: then what it says is judged
 * @throws NamedError SOURCE_FORBIDDEN
 */
export async function confinedPath(path: string, folders: readonly string[]): Promise<string> {
  const real = await follow(path);
  if (await isInOne(real, folders)) return real;
  const which = folders.length > 0 ? `only files in ${folders.join(', ')} may be` : 'no file may be';
  throw new NamedError(
    'SOURCE_FORBIDDEN',
    `"${path}" cannot be read: over the API ${which} given ("sources.folders"). Add its folder there, or write the path into the configuration file itself.`,
    403,
  );
}

/**
 * The same for a file that is to be written: its folder has to be there, and a link in its place is followed too.
 * @throws NamedError OUTPUT_FORBIDDEN
 */
export async function confinedOutput(path: string, folders: readonly string[]): Promise<string> {
  const real = await realpath(path).catch(async () => join(await follow(dirname(path)), basename(path)));
  // A link that leads nowhere yet would be followed by whoever writes.
  const isLink = await lstat(real).then(
    (facts) => facts.isSymbolicLink(),
    () => false,
  );
  if (!isLink && (await isInOne(real, folders))) return real;
  const which = folders.length > 0 ? `only into ${folders.join(', ')} may be` : 'no file may be';
  throw new NamedError(
    'OUTPUT_FORBIDDEN',
    `"${path}" cannot be written: over the API ${which} written ("outputs.folders"). Add its folder there, or write the job into the configuration file itself.`,
    403,
  );
}

async function isInOne(path: string, folders: readonly string[]): Promise<boolean> {
  for (const folder of folders) if (isIn(path, await follow(folder))) return true;
  return false;
}

function follow(path: string): Promise<string> {
  return realpath(path).catch(() => resolve(path));
}

function isIn(path: string, folder: string): boolean {
  const way = relative(folder, path);
  return way === '' || (way !== '..' && !/^\.\.[\\/]/.test(way) && !isAbsolute(way));
}
