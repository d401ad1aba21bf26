import { aacFormat } from '../../src/codecs/aac.ts';
import { h264Format } from '../../src/codecs/h264.ts';
import { h265Format } from '../../src/codecs/h265.ts';
import { opusFormat } from '../../src/codecs/opus.ts';
import type { AccessUnit } from '../../src/media/access-unit.ts';
import type { Track } from '../../src/media/track.ts';

/** A small reader of fragmented MP4, for tests: enough for what Sluice and ffmpeg write. */
export interface Box {
  readonly type: string;
  /** Offset of the box in the bytes that were given. */
  readonly start: number;
  readonly body: Buffer;
}

/** The boxes that follow each other in `bytes`; throws where sizes do not add up. */
export function boxes(bytes: Buffer): Box[] {
  const found: Box[] = [];
  for (let at = 0; at < bytes.length; ) {
    const size = bytes.readUInt32BE(at);
    if (size < 8 || at + size > bytes.length) throw new Error(`A box at ${at} claims ${size} bytes.`);
    found.push({
      type: bytes.toString('latin1', at + 4, at + 8),
      start: at,
      body: bytes.subarray(at + 8, at + size),
    });
    at += size;
  }
  return found;
}

/** The first box at a path such as `moov/trak/mdia`; throws where there is none. */
export function boxAt(bytes: Buffer, path: string): Buffer {
  let body = bytes;
  for (const type of path.split('/')) {
    const next = boxes(body).find((box) => box.type === type);
    if (!next) throw new Error(`There is no box ${type} of ${path}.`);
    body = next.body;
  }
  return body;
}

export interface ReadSample {
  readonly trackId: number;
  readonly dts: number;
  readonly pts: number;
  readonly duration: number;
  readonly sync: boolean;
  readonly data: Buffer;
}

export interface ReadTrack {
  readonly trackId: number;
  readonly timescale: number;
  readonly handler: string;
  /** `avc1`, `mp4a`, … */
  readonly entry: string;
  /** Body of avcC, hvcC, dOps or esds. */
  readonly configuration: Buffer;
}

export function readInit(init: Buffer): ReadTrack[] {
  return boxes(boxAt(init, 'moov'))
    .filter(({ type }) => type === 'trak')
    .map(({ body }) => {
      const entry = boxes(boxAt(body, 'mdia/minf/stbl/stsd').subarray(8))[0]!;
      const handler = boxAt(body, 'mdia/hdlr').toString('latin1', 8, 12);
      const configuration = boxes(entry.body.subarray(handler === 'vide' ? 78 : 28))[0]!;
      const mdhd = boxAt(body, 'mdia/mdhd');
      return {
        trackId: boxAt(body, 'tkhd').readUInt32BE(12),
        timescale: mdhd.readUInt32BE(mdhd[0] === 1 ? 20 : 12),
        handler,
        entry: entry.type,
        configuration: configuration.body,
      };
    });
}

/** Every sample of all `moof`s in `bytes`, in the order of the file. */
export function readSamples(bytes: Buffer): ReadSample[] {
  return boxes(bytes)
    .filter(({ type }) => type === 'moof')
    .flatMap((moof) =>
      boxes(moof.body)
        .filter(({ type }) => type === 'traf')
        .flatMap((traf) => readTraf(bytes, moof.start, traf.body)),
    );
}

function readTraf(bytes: Buffer, moofStart: number, traf: Buffer): ReadSample[] {
  const tfhd = boxAt(traf, 'tfhd');
  const tfhdFlags = tfhd.readUIntBE(1, 3);
  const trackId = tfhd.readUInt32BE(4);
  let at = 8;
  const defaults = [0x1, 0x2, 0x8, 0x10, 0x20].map((flag) => {
    if (!(tfhdFlags & flag)) return 0;
    const wide = flag === 0x1;
    at += wide ? 8 : 4;
    return wide ? 0 : tfhd.readUInt32BE(at - 4);
  });
  const tfdt = boxAt(traf, 'tfdt');
  let dts = tfdt[0] === 1 ? Number(tfdt.readBigUInt64BE(4)) : tfdt.readUInt32BE(4);
  const samples: ReadSample[] = [];
  for (const { type, body: trun } of boxes(traf)) {
    if (type !== 'trun') continue;
    const flags = trun.readUIntBE(1, 3);
    const count = trun.readUInt32BE(4);
    let cursor = 8;
    const u32 = () => trun.readUInt32BE((cursor += 4) - 4);
    let offset = moofStart + (flags & 0x1 ? u32() : 0);
    const first = flags & 0x4 ? u32() : undefined;
    for (let i = 0; i < count; i++) {
      const duration = flags & 0x100 ? u32() : defaults[2]!;
      const size = flags & 0x200 ? u32() : defaults[3]!;
      const sampleFlags = flags & 0x400 ? u32() : i === 0 && first !== undefined ? first : defaults[4]!;
      const cto = flags & 0x800 ? u32() | 0 : 0;
      samples.push({
        trackId,
        dts,
        pts: dts + cto,
        duration,
        sync: (sampleFlags & 0x10000) === 0,
        data: bytes.subarray(offset, offset + size),
      });
      offset += size;
      dts += duration;
    }
  }
  return samples;
}

/** NAL units of a sample with 4-byte lengths. */
export function nalUnits(data: Buffer): Buffer[] {
  const nals: Buffer[] = [];
  for (let at = 0; at < data.length; ) {
    const size = data.readUInt32BE(at);
    nals.push(data.subarray(at + 4, at + 4 + size));
    at += 4 + size;
  }
  return nals;
}

/** Our tracks for the tracks of a fragmented MP4 that ffmpeg wrote, by its track number. */
export function tracksOf(file: Buffer): Map<number, Track> {
  const tracks = new Map<number, Track>();
  for (const { trackId, timescale, entry, configuration } of readInit(file)) {
    if (entry === 'avc1') {
      const format = h264Format(listed(configuration, 5, [0x1f, 0xff]));
      tracks.set(trackId, { id: trackId, clockRate: 90_000, format });
    } else if (entry === 'hvc1') {
      tracks.set(trackId, { id: trackId, clockRate: 90_000, format: h265Format(arrays(configuration)) });
    } else if (entry === 'Opus') {
      tracks.set(trackId, { id: trackId, clockRate: 48_000, format: opusFormat(configuration[1]!) });
    } else {
      // The AudioSpecificConfig is the descriptor with tag 5, its size in four bytes.
      const start = configuration.indexOf(Buffer.from([0x05, 0x80, 0x80, 0x80])) + 5;
      const config = configuration.subarray(start, start + configuration[start - 1]!);
      tracks.set(trackId, { id: trackId, clockRate: timescale, format: aacFormat(config) });
    }
  }
  return tracks;
}

/** SPS and PPS of an avcC. */
function listed(avcC: Buffer, start: number, masks: readonly number[]): Buffer[] {
  const nals: Buffer[] = [];
  let at = start;
  for (const mask of masks) {
    const count = avcC[at++]! & mask;
    for (let i = 0; i < count; i++) {
      const size = avcC.readUInt16BE(at);
      nals.push(avcC.subarray(at + 2, at + 2 + size));
      at += 2 + size;
    }
  }
  return nals;
}

/** VPS, SPS and PPS of an hvcC. */
function arrays(hvcC: Buffer): Buffer[] {
  const nals: Buffer[] = [];
  let at = 23;
  for (let array = 0; array < hvcC[22]!; array++) {
    const count = hvcC.readUInt16BE(at + 1);
    at += 3;
    for (let i = 0; i < count; i++) {
      const size = hvcC.readUInt16BE(at);
      nals.push(hvcC.subarray(at + 2, at + 2 + size));
      at += 2 + size;
    }
  }
  return nals;
}

/**
 * The access units of a fragmented MP4 that ffmpeg wrote, in the order of the file.
 * @param ntp capture time of timestamp 0, ms
 */
export function unitsOf(file: Buffer, tracks: ReadonlyMap<number, Track>, ntp: number): AccessUnit[] {
  const scales = new Map(readInit(file).map(({ trackId, timescale }) => [trackId, timescale]));
  return readSamples(file).map((sample) => {
    const track = tracks.get(sample.trackId)!;
    const { format, clockRate } = track;
    const scale = scales.get(sample.trackId)!;
    const ticks = (time: number) => Math.round((time * clockRate) / scale);
    const video = format.kind === 'video' ? format : undefined;
    const nals = video ? nalUnits(sample.data) : [sample.data];
    return {
      track,
      pts: ticks(sample.pts),
      dts: ticks(sample.dts),
      keyframe: sample.sync,
      ntp: ntp + (sample.pts / scale) * 1000,
      payload: video && sample.sync ? [...video.parameterSets, ...nals] : nals,
    };
  });
}
