import type { TaskSpec } from '#link/client.ts';
import type { AccessUnit } from '#media/access-unit.ts';
import type { Track } from '#media/track.ts';
import { NamedError } from '#util/named-error.ts';

export type RenditionSpec = Extract<TaskSpec, { kind: 'rendition' }>;

/** Makes one kind of track out of another. One owner; every call awaited before the next. */
export interface Converter {
  /**
   * Takes the next unit of the source and gives what came out of it.
   * @param fresh the unit does not follow the one before
   * @param newest the latest presentation time that waits behind it, ticks of the source
   * @throws {NamedError} RENDITION_UNSUPPORTED for a source that cannot be made what is wanted
   */
  convert(unit: AccessUnit, fresh: boolean, newest: number | undefined): Promise<AccessUnit[]>;
  /** The next picture is to be a keyframe. */
  requestKeyframe?(): void;
  close(): void;
}

/** @throws {NamedError} RENDITION_UNSUPPORTED */
export function unsupported(spec: RenditionSpec, source: Track, rule: string): never {
  const message = `Track ${source.id} of "${spec.stream}" is ${source.format.codec}; ${rule}`;
  throw new NamedError('RENDITION_UNSUPPORTED', message, 415);
}
