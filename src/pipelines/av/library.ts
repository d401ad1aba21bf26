import { constants } from 'node:os';
import {
  AV_LOG_ERROR,
  AVERROR_EAGAIN,
  AVERROR_EOF,
  AVERROR_HTTP_FORBIDDEN,
  AVERROR_HTTP_NOT_FOUND,
  AVERROR_HTTP_UNAUTHORIZED,
} from 'node-av/constants';
import { Dictionary, FFmpegError, Log } from 'node-av/lib';

/**
 * What the files of this folder share. They are the only ones that know FFmpeg's binding (node-av), and they keep the
 * rules that it needs: one owner loop per native object, never two calls at once on one, every call awaited, every
 * frame and packet freed by who made it. Breaking one of them is a segmentation fault, not an exception.
 */

const SYSTEM_CODES: ReadonlyMap<number, string> = new Map(
  Object.entries(constants.errno).map(([name, number]) => [number, name]),
);

/** FFmpeg said no: `code` is its negative AVERROR number. */
export class AvError extends Error {
  readonly code: number;

  constructor(code: number, doing: string) {
    super(`${FFmpegError.strerror(code)} (while ${doing}).`);
    this.name = 'AvError';
    this.code = code;
  }

  /** The system's name of it, such as `ENOSPC`; undefined for what is FFmpeg's own. */
  get systemCode(): string | undefined {
    return SYSTEM_CODES.get(-this.code);
  }
}

/** Codes of {@link AvError}: what a web server answered. */
export const HTTP_ERRORS = {
  unauthorized: AVERROR_HTTP_UNAUTHORIZED,
  forbidden: AVERROR_HTTP_FORBIDDEN,
  notFound: AVERROR_HTTP_NOT_FOUND,
} as const;

/** Throws an {@link AvError} when an FFmpeg call returned an error; gives the result back otherwise. */
export function check(result: number, doing: string): number {
  if (result < 0) throw new AvError(result, doing);
  return result;
}

export function isEnd(result: number): boolean {
  return result === AVERROR_EOF;
}

/** The call has nothing to give now. */
export function isAgain(result: number): boolean {
  return result === AVERROR_EAGAIN;
}

/** Calls with the options as an FFmpeg dictionary, which is freed afterwards. */
export async function withOptions<T>(
  options: Readonly<Record<string, string | number>>,
  call: (dictionary: Dictionary) => Promise<T>,
): Promise<T> {
  const dictionary = Dictionary.fromObject(options);
  try {
    return await call(dictionary);
  } finally {
    dictionary.free();
  }
}

/**
 * Sends what FFmpeg has to say to `log`, errors alone; without this call it would write to stderr, encoders'
 * statistics included.
 */
export function logErrorsTo(log: (message: string) => void): void {
  Log.setLevel(AV_LOG_ERROR);
  Log.setCallback((_level, message) => log(message.trim()), { maxLevel: AV_LOG_ERROR });
}
