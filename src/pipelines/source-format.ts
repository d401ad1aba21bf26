import { aacFormat, aacFrameDuration, buildAacConfig } from '#codecs/aac.ts';
import { AC3_FRAME_SAMPLES, ac3Format, ac3TrackOf } from '#codecs/ac3.ts';
import { av1Format, readAv1Configuration, splitObus } from '#codecs/av1.ts';
import { readAvcc, readHvcc, splitLengthPrefixed } from '#codecs/configuration-record.ts';
import { pcmaFormat, pcmuFormat } from '#codecs/g711.ts';
import { H264, h264Format, h264NalType } from '#codecs/h264.ts';
import { H265, h265Format, h265NalType } from '#codecs/h265.ts';
import { VideoIngest } from '#codecs/ingest.ts';
import { mp3Format } from '#codecs/mp3.ts';
import { mpeg4Format } from '#codecs/mpeg4.ts';
import { sameNals, splitAnnexB } from '#codecs/nal.ts';
import { opusFormat, opusPacketDuration } from '#codecs/opus.ts';
import { vp8Format } from '#codecs/vp8.ts';
import { vp9Format } from '#codecs/vp9.ts';
import type { AudioFormat, AudioTrack, Track, VideoFormat, VideoTrack } from '#media/track.ts';
import type { InputStream } from './av/input.ts';

/** One access unit's worth of a packet. `offset` and `duration` are ticks of the track's clock. */
export interface Piece {
  readonly track: Track;
  readonly offset: number;
  /** 0 where the codec does not say: then the container has to. */
  readonly duration: number;
  readonly payload: readonly Buffer[];
}

/** Turns the packets of one stream of an input into the payloads of access units. */
export interface PacketReader {
  /** The track as it is now; replaced when a packet changes the format. */
  readonly track: Track;
  read(data: Buffer, keyframe: boolean): readonly Piece[];
}

/** What `packetReader` knows, for sentences. */
export const USABLE_VIDEO = 'H.264, H.265, AV1, VP9, VP8 and MPEG-4';
export const USABLE_AUDIO = 'AAC, Opus, AC-3, MP3, PCMA and PCMU';

/** How a file's stream becomes a track; undefined for codecs and configurations that cannot. */
export function packetReader(stream: InputStream, id: number): PacketReader | undefined {
  switch (stream.codec) {
    case 'h264':
    case 'h265':
      return new NalPackets(stream, id, stream.codec);
    case 'av1':
      return new FramePackets(id, av1FormatOf(stream), splitObus);
    case 'vp9':
      return new FramePackets(id, vp9Format(), (data) => [data]);
    case 'vp8':
      return new FramePackets(id, vp8Format(), (data) => [data]);
    case 'mpeg4':
      return new FramePackets(id, mpeg4Format(stream.extradata ?? Buffer.alloc(0)), (data) => [data]);
    case 'aac':
      return new AacPackets(stream, id);
    case 'opus':
      return new AudioPackets(id, opusFormat(stream.channels || 2), opusPacketDuration);
    case 'ac3':
      return new Ac3Packets(stream, id);
    case 'mp3':
      return new AudioPackets(id, mp3Format(stream.sampleRate, stream.channels), () => 0);
    case 'pcma':
      return new G711Packets(id, pcmaFormat(stream.sampleRate, stream.channels));
    case 'pcmu':
      return new G711Packets(id, pcmuFormat(stream.sampleRate, stream.channels));
    default:
      return undefined;
  }
}

const VIDEO = {
  h264: {
    format: h264Format,
    type: h264NalType,
    parameterSets: [H264.sps, H264.pps] as readonly number[],
    dropped: [H264.aud, H264.filler] as readonly number[],
    record: readAvcc,
  },
  h265: {
    format: h265Format,
    type: h265NalType,
    parameterSets: [H265.vps, H265.sps, H265.pps] as readonly number[],
    dropped: [H265.aud, H265.filler] as readonly number[],
    record: readHvcc,
  },
};

class NalPackets implements PacketReader {
  track: VideoTrack;
  readonly #codec: (typeof VIDEO)['h264' | 'h265'];
  /** Bytes of a NAL unit's length; 0 for annex B. */
  readonly #lengthSize: number;

  constructor(stream: InputStream, id: number, codec: 'h264' | 'h265') {
    this.#codec = VIDEO[codec];
    const extradata = stream.extradata ?? Buffer.alloc(0);
    // Annex B begins with a start code, the records of MP4 with their version, 1.
    const record = extradata[0] === 1 ? this.#codec.record(extradata) : undefined;
    this.#lengthSize = record?.lengthSize ?? 0;
    this.track = {
      id,
      clockRate: 90_000,
      format: this.#codec.format(record?.parameterSets ?? splitAnnexB(extradata)),
    };
  }

  read(data: Buffer, keyframe: boolean): readonly Piece[] {
    const nals = this.#lengthSize > 0 ? splitLengthPrefixed(data, this.#lengthSize) : splitAnnexB(data);
    const { type, parameterSets, dropped, format } = this.#codec;
    const sets = nals.filter((nal) => parameterSets.includes(type(nal)));
    const rest = nals.filter((nal) => !parameterSets.includes(type(nal)) && !dropped.includes(type(nal)));
    if (rest.length === 0) return [];
    if (sets.length > 0) {
      const changed = format(sets);
      // A lone PPS between pictures belongs to what is there already; a set with an SPS is a whole new one.
      const whole = changed.width > 0;
      if (whole && !sameNals(changed.parameterSets, this.track.format.parameterSets)) {
        this.track = { ...this.track, format: changed };
      }
    }
    const front = keyframe ? this.track.format.parameterSets : sets;
    return [{ track: this.track, offset: 0, duration: 0, payload: [...front, ...rest] }];
  }
}

function av1FormatOf({ extradata }: InputStream): VideoFormat {
  // Matroska and MP4 have an av1C, raw streams a sequence header.
  if (!extradata) return av1Format();
  return av1Format(readAv1Configuration(extradata) ?? splitObus(extradata)[0]);
}

/** Codecs whose keyframes say how they are coded. */
class FramePackets implements PacketReader {
  readonly #ingest: VideoIngest;
  readonly #split: (data: Buffer) => Buffer[];

  constructor(id: number, format: VideoFormat, split: (data: Buffer) => Buffer[]) {
    this.#ingest = new VideoIngest({ id, clockRate: 90_000, format });
    this.#split = split;
  }

  get track(): VideoTrack {
    return this.#ingest.track;
  }

  read(data: Buffer): readonly Piece[] {
    const picture = this.#ingest.push(this.#split(data), 0);
    return picture ? [{ track: picture.track, offset: 0, duration: 0, payload: picture.payload }] : [];
  }
}

class Ac3Packets implements PacketReader {
  track: AudioTrack;

  constructor({ sampleRate, channels }: InputStream, id: number) {
    this.track = { id, clockRate: sampleRate, format: ac3Format({ sampleRate, channels }) };
  }

  read(data: Buffer): readonly Piece[] {
    this.track = ac3TrackOf(this.track, data);
    return [{ track: this.track, offset: 0, duration: AC3_FRAME_SAMPLES, payload: [data] }];
  }
}

class AudioPackets implements PacketReader {
  readonly track: AudioTrack;
  readonly #duration: (packet: Buffer) => number;

  constructor(id: number, format: AudioFormat, duration: (packet: Buffer) => number) {
    this.track = { id, clockRate: format.sampleRate, format };
    this.#duration = duration;
  }

  read(data: Buffer): readonly Piece[] {
    return [{ track: this.track, offset: 0, duration: this.#duration(data), payload: [data] }];
  }
}

class AacPackets implements PacketReader {
  track: AudioTrack;
  readonly #isConfigured: boolean;

  constructor(stream: InputStream, id: number) {
    const { sampleRate, channels, extradata } = stream;
    this.#isConfigured = extradata !== undefined;
    const format = aacFormat(extradata ?? buildAacConfig({ sampleRate, channels }));
    this.track = { id, clockRate: format.sampleRate, format };
  }

  read(data: Buffer): readonly Piece[] {
    const config = this.#isConfigured ? undefined : adtsConfig(data);
    // What an input says of AAC without a configuration is the rate after spectral band replication; frames count in
    // the core's.
    if (config && !config.equals(this.track.format.config)) {
      const format = aacFormat(config);
      this.track = { ...this.track, clockRate: format.sampleRate, format };
    }
    const { track } = this;
    const duration = aacFrameDuration(track.format, track.clockRate);
    return [{ track, offset: 0, duration, payload: [withoutAdts(data)] }];
  }
}

/** G.711 in files comes in packets of any length; 20 ms is what doors and players expect of a live stream. */
class G711Packets implements PacketReader {
  readonly track: AudioTrack;

  constructor(id: number, format: AudioFormat) {
    this.track = { id, clockRate: format.sampleRate, format };
  }

  read(data: Buffer): readonly Piece[] {
    const { sampleRate, channels } = this.track.format;
    const samples = Math.floor(sampleRate / 50);
    const pieces: Piece[] = [];
    for (let at = 0; at < data.length; at += samples * channels) {
      const part = data.subarray(at, at + samples * channels);
      const offset = at / channels;
      pieces.push({ track: this.track, offset, duration: part.length / channels, payload: [part] });
    }
    return pieces;
  }
}

/** True where the data begins with an ADTS header (ISO/IEC 13818-7 section 6.2). */
function hasAdts(data: Buffer): boolean {
  return data.length >= 7 && data[0] === 0xff && ((data[1] ?? 0) & 0xf6) === 0xf0;
}

/** The AAC frame behind an ADTS header, or the data itself where there is none. */
export function withoutAdts(data: Buffer): Buffer {
  return hasAdts(data) ? data.subarray((data[1] ?? 0) & 1 ? 7 : 9) : data;
}

/** The AudioSpecificConfig that an ADTS header stands for; undefined where there is no header. */
export function adtsConfig(data: Buffer): Buffer | undefined {
  if (!hasAdts(data)) return undefined;
  const fields = data.readUInt16BE(2);
  const [objectType, rate, channels] = [(fields >> 14) + 1, (fields >> 10) & 0x0f, (fields >> 6) & 0x07];
  const config = Buffer.alloc(2);
  config.writeUInt16BE((objectType << 11) | (rate << 7) | (channels << 3));
  return config;
}
