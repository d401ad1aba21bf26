import { access, constants, stat } from 'node:fs/promises';
import { NamedError } from '#util/named-error.ts';
import { Input } from './av/input.ts';
import { AvError } from './av/library.ts';

/** @throws {NamedError} INPUT_MISSING or INPUT_UNREADABLE where there is no file that can be read */
export async function checkFile(path: string): Promise<void> {
  const facts = await stat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') {
      const message = `There is no file "${path}", and what is to be read must be there. Check the folder and the spelling.`;
      throw new NamedError('INPUT_MISSING', message, 404, { cause: error });
    }
    throw unreadable(path, `the system says ${error.code ?? error.message}`, error);
  });
  if (!facts.isFile()) throw unreadable(path, 'it is not a regular file');
  await access(path, constants.R_OK).catch((error: unknown) => {
    throw unreadable(path, 'Sluice has no permission to read it', error);
  });
}

/**
 * Opens a media file, and nothing but a file, whatever its name looks like to FFmpeg.
 *
 * @throws {NamedError} INPUT_MISSING or INPUT_UNREADABLE
 */
export async function openFile(path: string, signal: AbortSignal): Promise<Input> {
  await checkFile(path);
  try {
    return await Input.open(`file:${path}`, { options: { protocol_whitelist: 'file' }, signal });
  } catch (error) {
    throw error instanceof AvError
      ? unreadable(path, 'it is not in a media format that FFmpeg knows', error)
      : error;
  }
}

/** The error of a file that is there but cannot be played. `why` is a clause. */
export function unreadable(path: string, why: string, cause?: unknown): NamedError {
  const message = `The file "${path}" cannot be played: ${why}. Give a media file, such as MP4 or MPEG-TS with H.264 and AAC.`;
  return new NamedError('INPUT_UNREADABLE', message, 422, { cause });
}
