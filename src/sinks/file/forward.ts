import { lstat, realpath } from 'node:fs/promises';
import { basename, dirname, extname, join, resolve } from 'node:path';
import { FILE_ENDINGS, type FileKind, fileKind } from '#media/outputs.ts';
import { confinedPath } from '#util/confined-path.ts';
import { NamedError } from '#util/named-error.ts';
import type { ForwardTarget, OpenForward } from '../contract.ts';
import { MuxedForward, type PackedTarget, type StartMuxer } from '../muxed-forward.ts';

/** What the next attempt would meet again. */
const FINAL = ['FILE_EXISTS', 'FILE_NOT_WRITABLE', 'SOURCE_FORBIDDEN', 'CODEC_UNSUPPORTED'];
/** So many files of one name are looked for a free one among. */
const MOST_PARTS = 10_000;

type FileTarget = Extract<PackedTarget, { readonly path: string }>;
type Placing = Pick<ForwardTarget, 'restricted' | 'within' | 'existing'>;

/**
 * Writes streams into files, by what their names end in. A file that is there is not written over unless that is asked
 * for; where a stream comes back, or has other tracks, it goes on in `film.2.mp4`, `film.3.mp4` ….
 */
export function fileForward(start: StartMuxer): OpenForward {
  /** Files that were begun here: a later attempt goes on beside them. */
  const begun = new Set<string>();
  return (target, events) => {
    const { path, kind } = parseFileAddress(target.url);
    const to = () => place(path, kind, target, begun.has(path));
    return new MuxedForward(
      target,
      {
        ...events,
        onUp() {
          begun.add(path);
          events.onUp();
        },
        onEnd: (end) => events.onEnd(end),
      },
      { start, kind, to, final: FINAL },
    );
  };
}

/**
 * The file that an address stands for, with what is to become of one that is there.
 * @throws NamedError SOURCE_FORBIDDEN, FILE_EXISTS, FILE_NOT_WRITABLE
 */
export async function fileTarget(url: string, how: Placing): Promise<FileTarget> {
  const { path, kind } = parseFileAddress(url);
  return place(path, kind, how, false);
}

/** @throws NamedError FILE_NOT_WRITABLE */
function parseFileAddress(url: string): { readonly path: string; readonly kind: FileKind } {
  const path = resolve(url.replace(/^file:(?:\/\/(?=\/))?/i, ''));
  const kind = fileKind(path);
  if (kind === undefined) throw unknownEnding(path);
  return { path, kind };
}

/** Whether an address is a path: it has no scheme, or `file:`. */
export function isFileAddress(url: string): boolean {
  return /^file:/i.test(url) || !/^[a-z][a-z0-9+.-]*:/i.test(url);
}

/** @throws NamedError SOURCE_FORBIDDEN, FILE_EXISTS */
async function place(
  path: string,
  container: FileKind,
  { restricted, within, existing = 'refuse' }: Placing,
  isBegun: boolean,
): Promise<FileTarget> {
  if (restricted) await confineFile(path, within ?? []);
  // What was written here is never lost to what comes after it.
  if (isBegun || existing === 'number') return { container, path: await freePath(path) };
  if (existing === 'overwrite' && !restricted) return { container, path, overwrite: true };
  return { container, path };
}

/** The path, or the first of its numbered ones that is not there. */
async function freePath(path: string): Promise<string> {
  const ending = extname(path);
  const name = join(dirname(path), basename(path, ending));
  for (let part = 1; part <= MOST_PARTS; part++) {
    const one = part === 1 ? path : `${name}.${part}${ending}`;
    const isThere = await lstat(one).then(
      () => true,
      () => false,
    );
    if (!isThere) return one;
  }
  const sentence = `There are ${MOST_PARTS} files of the name "${path}". Move them away, or choose another name.`;
  throw new NamedError('FILE_EXISTS', sentence, 409);
}

/**
 * Lets a file be written in one of these folders only. Its own folder counts, links followed: it is not there yet.
 * @throws NamedError SOURCE_FORBIDDEN
 */
export async function confineFile(path: string, folders: readonly string[]): Promise<void> {
  const folder = await realpath(dirname(path)).catch(() => dirname(path));
  const isIn = await confinedPath(join(folder, basename(path)), folders).then(
    () => true,
    () => false,
  );
  if (isIn) return;
  const where = folders.length > 0 ? `Give a path in ${folders.join(', ')}` : 'Name folders for it there';
  const sentence = `"${path}" cannot be written over the API: it is in none of the folders of "outputs.folders". ${where}, or write the path into the configuration file itself.`;
  throw new NamedError('SOURCE_FORBIDDEN', sentence, 403);
}

function unknownEnding(path: string): NamedError {
  const endings = FILE_ENDINGS.map((ending) => `.${ending}`).join(', ');
  const sentence = `The name of "${path}" does not say what kind of file it is to be. Let it end in one of ${endings}.`;
  return new NamedError('FILE_NOT_WRITABLE', sentence, 422);
}
