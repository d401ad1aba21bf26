import { aacFormat, buildAacConfig } from '../../../src/codecs/aac.ts';
import { pcmaFormat, pcmuFormat } from '../../../src/codecs/g711.ts';
import { h264Format } from '../../../src/codecs/h264.ts';
import type { AccessUnit } from '../../../src/media/access-unit.ts';
import { isVideo, type Track } from '../../../src/media/track.ts';
import { pps, sps } from '../fmp4-units.ts';

/** Media that a camera sends again and again. Times count from 0 at the beginning of the clip. */
export interface CameraClip {
  /** Video (id 0) before audio (id 1). */
  readonly tracks: readonly Track[];
  readonly units: readonly AccessUnit[];
  /** What one pass takes, in ms. */
  readonly durationMs: number;
  /** Each payload begins anew with the number of its unit, so that it is known again wherever it comes out. */
  readonly numbered: boolean;
}

/** 1280 × 720, high profile, from x264: another size for changes in mid-stream. */
export const otherSps = Buffer.from('6764001facd9405005bb011000000300100000030320f1831960', 'hex');

export interface MadeUpClipOptions {
  readonly audio?: 'aac' | 'pcma' | 'pcmu' | 'none';
  readonly fps?: number;
  /** Pictures from one keyframe to the next; default 50. */
  readonly gop?: number;
  /** Bytes of a picture; default 60. */
  readonly pictureSize?: number;
  /** Default 640 × 360. */
  readonly sps?: Buffer;
}

/**
 * A clip that no decoder made or understands, but that looks right to everything else: for tests on virtual time.
 * Its slices and frames carry their number (see `numberOf`).
 */
export function madeUpClip(options: MadeUpClipOptions = {}): CameraClip {
  const { audio = 'aac', fps = 25, gop = 50, pictureSize = 60 } = options;
  const video: Track = { id: 0, clockRate: 90_000, format: h264Format([options.sps ?? sps, pps]) };
  const sound = audio === 'none' ? undefined : audioTrack(audio);
  const units: AccessUnit[] = [];
  for (let n = 0; n < gop; n++) {
    const slice = Buffer.alloc(pictureSize, 0xaa);
    slice[0] = n === 0 ? 0x65 : 0x41;
    // first_mb_in_slice 0, slice_type P or I: one slice is a whole picture.
    slice[1] = n === 0 ? 0x88 : 0x9a;
    const sets = n === 0 && isVideo(video) ? video.format.parameterSets : [];
    units.push(unit(video, Math.round((n * 90_000) / fps), n === 0, [...sets, slice]));
  }
  const durationMs = (gop * 1000) / fps;
  if (sound) {
    const step = audio === 'aac' ? 1024 : 160;
    // A pass of sound may be a fraction of a frame longer than one of pictures: the camera numbers frames, not passes.
    const frames = Math.max(Math.round((durationMs * sound.clockRate) / 1000 / step), 1);
    for (let n = 0; n < frames; n++)
      units.push(unit(sound, n * step, true, [Buffer.alloc(audio === 'aac' ? 24 : step, 0x55)]));
  }
  return { tracks: sound ? [video, sound] : [video], units, durationMs, numbered: true };
}

/** A clip of real media, such as `clipUnits` gives; what a loop sounds and looks like at its seam does not matter. */
export function cameraClip(units: readonly AccessUnit[]): CameraClip {
  const tracks: Track[] = [];
  for (const { track } of units) if (!tracks.some(({ id }) => id === track.id)) tracks.push(track);
  tracks.sort((a, b) => Number(isVideo(b)) - Number(isVideo(a)));
  const renamed = new Map(tracks.map((track, id) => [track.id, { ...track, id }]));
  const first = Math.min(...units.map(({ track, pts }) => pts / track.clockRate));
  const moved = units.map((unit) => {
    const track = renamed.get(unit.track.id)!;
    const shift = Math.round(first * track.clockRate);
    return { ...unit, track, pts: unit.pts - shift, dts: unit.dts - shift };
  });
  const video = moved.filter(({ track }) => isVideo(track));
  const longest = video.length > 0 ? video : moved;
  const last = Math.max(...longest.map(({ track, pts }) => pts / track.clockRate));
  const durationMs = (last * 1000 * longest.length) / Math.max(longest.length - 1, 1);
  return { tracks: [...renamed.values()], units: moved, durationMs, numbered: false };
}

/** The number in a payload of a made-up clip: of the picture or sound frame, counted by track from 0. */
export function numberOf(bytes: Buffer): number {
  let n = 0;
  for (let i = 6; i > 2; i--) n = n * 128 + (bytes.readUInt8(bytes.length - i) & 0x7f);
  return n;
}

/** The payload of unit `n`. The top bit of each byte is set, so that the number never looks like a start code. */
export function withNumber(payload: readonly Buffer[], n: number): Buffer[] {
  const last = Buffer.from(payload[payload.length - 1] ?? Buffer.alloc(12, 0x55));
  for (let i = 3, rest = n; i <= 6; i++, rest = Math.floor(rest / 128)) {
    last.writeUInt8(0x80 | (rest % 128), last.length - i);
  }
  return [...payload.slice(0, -1), last];
}

function unit(track: Track, pts: number, keyframe: boolean, payload: Buffer[]): AccessUnit {
  return { track, pts, dts: pts, keyframe, ntp: 0, payload };
}

function audioTrack(codec: 'aac' | 'pcma' | 'pcmu'): Track {
  if (codec === 'pcma') return { id: 1, clockRate: 8000, format: pcmaFormat() };
  if (codec === 'pcmu') return { id: 1, clockRate: 8000, format: pcmuFormat() };
  const config = buildAacConfig({ sampleRate: 48_000, channels: 1 });
  return { id: 1, clockRate: 48_000, format: aacFormat(config) };
}
