import { access, constants, stat } from 'node:fs/promises';
import { confinedPath } from '#util/confined-path.ts';
import { NamedError } from '#util/named-error.ts';
import { Input } from './av/input.ts';
import { AvError } from './av/library.ts';
import type { FileReader, FileUnit } from './file-reader.ts';
import { USABLE_AUDIO, USABLE_VIDEO } from './source-format.ts';

/** Of a file that has to be in certain folders: containers that hold their media, and name no other files as playlists do. */
export const CONTAINERS = 'mov,mp4,matroska,webm,mpegts,flv,avi,mp3,aac,ogg,wav,flac';

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
 * @param within the folders that it has to be in, links followed; absent: any
 * @throws {NamedError} INPUT_MISSING, INPUT_UNREADABLE or SOURCE_FORBIDDEN
 */
export async function openFile(
  path: string,
  signal: AbortSignal,
  within?: readonly string[],
): Promise<Input> {
  await checkFile(path);
  const real = within ? await confinedPath(path, within) : path;
  try {
    const options = { protocol_whitelist: 'file', ...(within ? { format_whitelist: CONTAINERS } : {}) };
    return await Input.open(`file:${real}`, { options, signal });
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

/**
 * The next unit; undefined at the end.
 * @throws {NamedError} INPUT_UNREADABLE
 */
export async function readNext(reader: FileReader, path: string): Promise<FileUnit | undefined> {
  try {
    return await reader.next();
  } catch (error) {
    throw error instanceof AvError ? unreadable(path, error.message.replace(/\.$/, ''), error) : error;
  }
}

/** The error of a file with nothing in it that is of use. */
export function noTrack(path: string, input: Input): NamedError {
  const found = input.streams.map(({ codecName, kind }) => `${codecName} (${kind})`).join(', ') || 'nothing';
  const message =
    `The file "${path}" has no track that can be streamed: it holds ${found}. ` +
    `Usable are ${USABLE_VIDEO} video, and ${USABLE_AUDIO} audio; convert the file with ffmpeg.`;
  return new NamedError('INPUT_NO_TRACK', message, 422);
}
