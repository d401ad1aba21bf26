import type { AccessUnit } from '#media/access-unit.ts';
import type { RenditionRequest } from '#media/rendition-request.ts';
import type { Track } from '#media/track.ts';
import { NamedError } from '#util/named-error.ts';
import type { Burner } from './burn-in/burner.ts';

/** What a converter is to do. */
export interface Conversion {
  /** What the source is part of, for sentences: the name of a stream, or a path. */
  readonly of: string;
  /** Of the track that is made. */
  readonly id: number;
  readonly request: RenditionRequest;
  /** `live`: each unit at once, on one thread. `file`: on all threads, units may stay inside for a while. */
  readonly pace: 'live' | 'file';
  readonly log: (level: 'info' | 'warn', message: string) => void;
  /** Draws into the pictures. */
  readonly burner?: Burner | undefined;
}

/** Makes one kind of track out of another. One owner; every call awaited before the next. */
export interface Converter {
  /**
   * Takes the next unit of the source and gives what came out of it.
   * @param fresh the unit does not follow the one before
   * @param newest the latest presentation time that waits behind it, ticks of the source
   * @throws {NamedError} RENDITION_UNSUPPORTED for a source that cannot be made what is wanted, ENCODER_MISSING
   */
  convert(unit: AccessUnit, fresh: boolean, newest: number | undefined): Promise<AccessUnit[]>;
  /** The source is at its end: what is still inside. */
  finish(): Promise<AccessUnit[]>;
  /** The next picture is to be a keyframe. */
  requestKeyframe?(): void;
  close(): void;
}

/** @throws {NamedError} RENDITION_UNSUPPORTED */
export function unsupported({ of }: Conversion, source: Track, rule: string): never {
  const message = `Track ${source.id} of "${of}" is ${source.format.codec}; ${rule}`;
  throw new NamedError('RENDITION_UNSUPPORTED', message, 415);
}
