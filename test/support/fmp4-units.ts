import { aacFormat, buildAacConfig } from '../../src/codecs/aac.ts';
import { h264Format } from '../../src/codecs/h264.ts';
import { opusFormat } from '../../src/codecs/opus.ts';
import type { AccessUnit } from '../../src/media/access-unit.ts';
import type { Track } from '../../src/media/track.ts';

/** Tracks and access units without a camera: bytes that look right to everything but a decoder. */

/** 640 × 360, constrained baseline, 25 fps in the VUI. */
export const sps = Buffer.from('6742c01eda0280bfe5c044000003000400000300c83c58ba80', 'hex');
export const pps = Buffer.from('68ce3c80', 'hex');
/** Capture clock of timestamp 0 of all these tracks. */
export const ntpOfZero = 1_700_000_000_000;

export const h264Track: Track = { id: 1, clockRate: 90_000, format: h264Format([sps, pps]) };
export const aacTrack: Track = {
  id: 2,
  clockRate: 48_000,
  format: aacFormat(buildAacConfig({ sampleRate: 48_000, channels: 1 })),
};
export const opusTrack: Track = { id: 2, clockRate: 48_000, format: opusFormat(2) };

/** A picture of `size` bytes in one slice. */
export function picture(
  pts: number,
  options: { track?: Track; keyframe?: boolean; dts?: number; size?: number; ntp?: number } = {},
): AccessUnit {
  const { track = h264Track, keyframe = false, dts = pts, size = 100, ntp } = options;
  const slice = Buffer.alloc(size, 0xaa);
  slice[0] = keyframe ? 0x65 : 0x41;
  const sets = keyframe && track.format.kind === 'video' ? track.format.parameterSets : [];
  const payload = [Buffer.from([0x09, 0xf0]), ...sets, slice];
  return { track, pts, dts, keyframe, ntp: ntp ?? ntpOfZero + pts / 90, payload };
}

/** An audio frame of `size` bytes. */
export function sound(
  pts: number,
  options: { track?: Track; size?: number; ntp?: number; first?: number } = {},
): AccessUnit {
  const { track = aacTrack, size = 20, ntp } = options;
  const frame = Buffer.alloc(size, 0x55);
  // Opus: configuration 31 (20 ms), one frame.
  frame[0] = options.first ?? 0xf8;
  return {
    track,
    pts,
    dts: pts,
    keyframe: true,
    ntp: ntp ?? ntpOfZero + (pts / track.clockRate) * 1000,
    payload: [frame],
  };
}
