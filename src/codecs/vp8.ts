import type { VideoFormat } from '#media/track.ts';

/** What the first bytes of a frame say (RFC 6386 section 9.1). */
export interface Vp8FrameInfo {
  readonly keyframe: boolean;
  /** Pixels, of keyframes alone; 0 for others. */
  readonly width: number;
  readonly height: number;
}

/** Reads the header of a frame; undefined when it is broken. Never throws. */
export function parseVp8Frame(frame: Buffer): Vp8FrameInfo | undefined {
  const first = frame[0];
  if (first === undefined || frame.length < 3) return undefined;
  // The bit says the opposite: 0 is a keyframe.
  if ((first & 1) !== 0) return { keyframe: false, width: 0, height: 0 };
  if (frame.length < 10 || frame.readUIntBE(3, 3) !== 0x9d012a) return undefined;
  const width = frame.readUInt16LE(6) & 0x3fff;
  const height = frame.readUInt16LE(8) & 0x3fff;
  return width > 0 && height > 0 ? { keyframe: true, width, height } : undefined;
}

/** The format of a VP8 track; size 0 while it is unknown. */
export function vp8Format(width = 0, height = 0): VideoFormat {
  return { kind: 'video', codec: 'vp8', parameterSets: [], width, height, codecString: 'vp8' };
}
