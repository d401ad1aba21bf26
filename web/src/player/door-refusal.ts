import type { Setback } from './ladder.ts';
import type { SourceState } from './source.ts';

/** A door answered with something else than what was asked for. */
export class DoorRefusal extends Error {
  readonly status: number;
  /** Of `docs/errors.md`; empty where the answer had none. */
  readonly code: string;

  constructor(status: number, code: string, message: string) {
    super(message);
    this.status = status;
    this.code = code;
  }

  /** Reads `{error: {code, message}}`, which all doors answer with. */
  static async of(response: Response): Promise<DoorRefusal> {
    const text = await response.text().catch(() => '');
    let error: { readonly code?: unknown; readonly message?: unknown } | undefined;
    try {
      error = (JSON.parse(text) as { error?: typeof error }).error;
    } catch {
      // Something in between answered.
    }
    const { code, message } = error ?? {};
    return new DoorRefusal(
      response.status,
      typeof code === 'string' ? code : '',
      typeof message === 'string' ? message : `${response.status} ${response.statusText}`,
    );
  }
}

/** What cannot be had yet and is asked for again, in milliseconds. */
const ASK_AGAIN_MS = 2_000;

/**
 * What a source does when its door did not give it the stream: wait in that state and ask again, or give up.
 * @param hadMedia the stream was there before: then it is gone, not missing yet
 * @param now ms since 1970
 */
export function afterRefusal(error: unknown, hadMedia: boolean, now: number): SourceState | Setback {
  const retryAt = now + ASK_AGAIN_MS;
  // Not even an answer.
  if (!(error instanceof DoorRefusal)) return { kind: 'lost', retryAt };
  switch (error.code) {
    case 'STREAM_NOT_FOUND':
    case 'STREAM_GONE':
      return hadMedia
        ? { kind: 'gone', retryAt }
        : { kind: 'waiting', for: 'publisher', reason: error.message };
    case 'SOURCE_NOT_READY':
      return { kind: 'waiting', for: 'source', reason: error.message };
    case 'HLS_NOT_READY':
      return { kind: 'waiting', for: 'keyframe', reason: error.message };
    case 'WEBRTC_NO_COMMON_CODEC':
    case 'TRACK_NOT_WRITABLE':
    case 'PICTURES_UNAVAILABLE':
      return { kind: 'codec' };
    default:
      // A proxy in front of a server that is starting says so.
      return error.code === '' && error.status >= 502
        ? { kind: 'lost', retryAt }
        : { kind: 'refused', message: error.message, ...(error.code === '' ? {} : { code: error.code }) };
  }
}

/** Whether {@link afterRefusal} says to give up. */
export function isSetback(what: SourceState | Setback): what is Setback {
  return what.kind === 'codec' || what.kind === 'refused';
}
