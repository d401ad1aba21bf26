import { realpath } from 'node:fs/promises';
import { isAbsolute, relative, resolve } from 'node:path';
import { NamedError } from './named-error.ts';

/**
 * Where a path really leads, when that is in one of the folders or is one of them.
 * @param path absolute; need not be there: then what it says is judged
 * @throws NamedError SOURCE_FORBIDDEN
 */
export async function confinedPath(path: string, folders: readonly string[]): Promise<string> {
  const real = await follow(path);
  for (const folder of folders) if (isIn(real, await follow(folder))) return real;
  const which = folders.length > 0 ? `only files in ${folders.join(', ')} may be` : 'no file may be';
  throw new NamedError(
    'SOURCE_FORBIDDEN',
    `"${path}" cannot be read: over the API ${which} given ("sources.folders"). Add its folder there, or write the path into the configuration file itself.`,
    403,
  );
}

function follow(path: string): Promise<string> {
  return realpath(path).catch(() => resolve(path));
}

function isIn(path: string, folder: string): boolean {
  const way = relative(folder, path);
  return way === '' || (way !== '..' && !/^\.\.[\\/]/.test(way) && !isAbsolute(way));
}
