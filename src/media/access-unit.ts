import type { Track } from './track.ts';

/**
 * One coded picture, one audio frame or one data item: the only thing that flows through the hub.
 * Nothing may change it, or the bytes it points to, after it entered the hub: all readers share it.
 */
export interface AccessUnit {
  readonly track: Track;
  /** Presentation time in ticks of `track.clockRate`, unwrapped, exactly as the source sent it. */
  readonly pts: number;
  /** Decoding time in the same ticks; strictly increasing within a track; `dts <= pts`. */
  readonly dts: number;
  /** True where decoding can start. Always true for audio and data. */
  readonly keyframe: boolean;
  /**
   * Capture wall clock of `pts` in milliseconds since 1970, fractions included. Within a track a linear function of
   * `pts` that is only ever slewed; comparing it between the tracks of a stream is what puts them in step.
   */
  readonly ntp: number;
  /**
   * Video: at least one part, each at least one byte. H.264 and H.265: NAL units without start codes; a keyframe carries
   * its parameter sets in front. AV1: the units of a temporal unit, each with its size (the low-overhead format), without
   * delimiters; a keyframe carries its sequence header. VP8 and VP9: one frame, or superframe. Audio: one element, one frame (AAC without ADTS, one Opus packet, G.711 samples).
   */
  readonly payload: readonly Buffer[];
}

/** Bytes of the payload, without any framing. */
export function payloadSize(unit: AccessUnit): number {
  let size = 0;
  for (const part of unit.payload) size += part.length;
  return size;
}
