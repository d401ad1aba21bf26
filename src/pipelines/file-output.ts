import { open, unlink } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import type { FileTarget } from '#link/client.ts';
import { refusal } from '#media/outputs.ts';
import type { Track } from '#media/track.ts';
import { NamedError } from '#util/named-error.ts';
import { AvError } from './av/library.ts';
import { MediaOutput } from './av/media-output.ts';

/** Errors of a disk that has no room left, or no more for this user, or for a file of this size. */
const FULL = new Set(['ENOSPC', 'EDQUOT', 'EFBIG']);

/**
 * Makes the file, so that nobody else's is written over, and writes what stands in front of the media.
 * @throws {NamedError} CODEC_UNSUPPORTED, FILE_EXISTS, FILE_NOT_WRITABLE, FILE_DISK_FULL
 */
export async function openFileOutput(
  { path, container, overwrite }: FileTarget,
  tracks: readonly Track[],
  signal: AbortSignal,
  options: { readonly interleave?: boolean } = {},
): Promise<MediaOutput> {
  for (const track of tracks) {
    const reason = refusal(container, track);
    if (reason !== undefined) throw new NamedError('CODEC_UNSUPPORTED', `"${path}": ${reason}`, 415);
  }
  let isOurs = false;
  try {
    // FFmpeg would write over whatever is there.
    await (await open(path, overwrite ? 'w' : 'wx')).close();
    isOurs = true;
    return await MediaOutput.open({ kind: container, path: resolve(path) }, tracks, signal, options);
  } catch (error) {
    // The next attempt would take it for somebody else's.
    if (isOurs) await discardFile(path);
    throw fileTrouble(path, error);
  }
}

/** Takes away a file that was begun and has nothing in it. */
export async function discardFile(path: string): Promise<void> {
  await unlink(path).catch(() => {});
}

/** What went wrong with a file that is written, in a sentence; errors of other kinds are given back as they are. */
export function fileTrouble(path: string, error: unknown): unknown {
  const code = codeOf(error);
  if (code === undefined) return error;
  if (FULL.has(code)) {
    const sentence = `There is no room left for "${path}" (${code}). What was written so far can be played. Make room on the disk, or write elsewhere.`;
    return new NamedError('FILE_DISK_FULL', sentence, 507, { cause: error });
  }
  if (code === 'EEXIST') {
    const sentence = `There is a file "${path}" already, and it is not written over unless that is asked for. Choose another name.`;
    return new NamedError('FILE_EXISTS', sentence, 409, { cause: error });
  }
  const sentence = `The file "${path}" cannot be written: ${whyNot(path, code)}`;
  return new NamedError('FILE_NOT_WRITABLE', sentence, 422, { cause: error });
}

function whyNot(path: string, code: string): string {
  switch (code) {
    case 'EISDIR':
      return 'it is a folder. Give the name of a file in it.';
    case 'ENOENT':
    case 'ENOTDIR':
      return `there is no folder "${dirname(path)}". Make it, or correct the path.`;
    case 'EACCES':
    case 'EPERM':
      return 'Sluice has no permission. Let the user that Sluice runs as write there.';
    case 'EROFS':
      return 'what it is on is mounted for reading only. Write elsewhere.';
    default:
      return `the system says ${code}. Check the disk.`;
  }
}

/** The system's name of an error that is one of writing. */
function codeOf(error: unknown): string | undefined {
  if (error instanceof AvError) return error.systemCode;
  const { code, syscall } = error as NodeJS.ErrnoException;
  return syscall !== undefined ? code : undefined;
}
