import assert from 'node:assert';
import { aacFormat } from '#codecs/aac.ts';
import { pcmaFormat, pcmuFormat } from '#codecs/g711.ts';
import { mp3Format } from '#codecs/mp3.ts';
import { opusFormat } from '#codecs/opus.ts';
import type { AccessUnit } from '#media/access-unit.ts';
import { makesPictures, type SoundRenditionCodec } from '#media/rendition-request.ts';
import { rescale } from '#media/timestamps.ts';
import { type AudioFormat, type AudioTrack, isAudio } from '#media/track.ts';
import { NamedError } from '#util/named-error.ts';
import { canDecodeSound, SoundDecoder } from './av/sound-decoder.ts';
import { frameLengthOf, SoundEncoder, type SoundPacket } from './av/sound-encoder.ts';
import { type Conversion, type Converter, unsupported } from './converter.ts';
import { decodeG711, encodeG711 } from './g711.ts';
import { Resampler } from './resampler.ts';
import { atMostStereo, type Sound, type SoundFrame, SoundFramer, withChannels } from './sound-framer.ts';

/** Bits per second and channel: what G.711 holds is well kept by the lesser. */
const BIT_RATE = { speech: 48_000, music: 64_000 } as const;
/** Timestamps of coded sound may be rounded, to milliseconds at worst; what stands beside its place by that is left. */
const SLACK_SECONDS = 0.001;

/** Hz that each codec may have; the first where nothing is wished for. */
export const SAMPLE_RATES: Readonly<Record<SoundRenditionCodec, readonly number[]>> = {
  aac: [48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8000],
  // On the wire Opus always has a clock of 48 kHz (RFC 7587).
  opus: [48_000],
  mp3: [48_000, 44_100, 32_000, 24_000, 22_050, 16_000],
  pcma: [8000],
  pcmu: [8000],
};
/** Bits per second that may be wished for; G.711 has no choice. */
const LEAST_BITS = 6000;
const MOST_BITS = 512_000;
/** Samples of G.711 in a unit: 20 ms. */
const G711_FRAME = 160;

/** What makes frames of one length coded sound. */
interface FrameEncoder extends Pick<SoundEncoder, 'encode' | 'drain' | 'close' | 'config'> {}

/** Sound that was decoded, at the rate at which it came out. */
interface Decoded extends Sound {
  readonly sampleRate: number;
}

/**
 * Makes sound into AAC-LC, Opus, MP3 or G.711. Times are those of the source to the sample: what decoder, resampler and
 * encoder delay is taken off.
 */
export class SoundConverter implements Converter {
  readonly #conversion: Conversion;
  readonly #codec: SoundRenditionCodec;
  /** Hz of what is made. */
  readonly #rate: number;
  #source: AudioTrack | undefined;
  #decoder: SoundDecoder | undefined;
  #framer: SoundFramer | undefined;
  /** Rate and channels of what the framer takes. */
  #shape = '';
  #encoder: FrameEncoder | undefined;
  #track: AudioTrack | undefined;
  /** Of the first sound: the encoder's first packets lie before it, priming, nothing to hear. */
  #firstPts = 0;
  /** The last one taken: what its times mean by the clock of the capture. */
  #last: AccessUnit | undefined;

  /** @throws {NamedError} RENDITION_UNSUPPORTED */
  constructor(conversion: Conversion) {
    const { codec, sampleRate, bitRate } = conversion.request;
    assert(!makesPictures(codec), 'A converter of sound was asked for pictures.');
    const rates = SAMPLE_RATES[codec];
    const wrong = sampleRate !== undefined && !rates.includes(sampleRate);
    if (wrong) throw refused(`${codec} cannot have ${sampleRate} Hz. It can have ${rates.join(', ')}.`);
    if (bitRate !== undefined && (bitRate < LEAST_BITS || bitRate > MOST_BITS)) {
      throw refused(`Sound cannot have ${bitRate} bit/s. It can have ${LEAST_BITS} to ${MOST_BITS}.`);
    }
    this.#conversion = conversion;
    this.#codec = codec;
    this.#rate = sampleRate ?? rates[0]!;
  }

  async convert(unit: AccessUnit): Promise<AccessUnit[]> {
    const made: AccessUnit[] = [];
    for (const sound of await this.#decode(unit)) {
      const framer = this.#framerFor(sound, unit);
      this.#last = unit;
      for (const frame of framer.push(sound)) made.push(...(await this.#encode(frame, unit)));
    }
    return made;
  }

  async finish(): Promise<AccessUnit[]> {
    const last = this.#last;
    if (!last) return [];
    const made: AccessUnit[] = [];
    for (const frame of this.#framer?.finish() ?? []) made.push(...(await this.#encode(frame, last)));
    if (this.#encoder) made.push(...this.#units(await this.#encoder.drain(), last));
    this.#closeEncoder();
    return made;
  }

  close(): void {
    this.#decoder?.close();
    this.#decoder = undefined;
    this.#closeEncoder();
  }

  async #decode(unit: AccessUnit): Promise<Decoded[]> {
    const { track, pts, payload } = unit;
    if (!isAudio(track)) unsupported(this.#conversion, track, `only sound can be made ${this.#codec}.`);
    const { codec, sampleRate, channels } = track.format;
    const bytes = payload.length === 1 ? payload[0]! : Buffer.concat(payload);
    if (codec === 'pcma' || codec === 'pcmu') {
      this.#source = track;
      return [{ pts, sampleRate, planes: this.#mixed(decodeG711(codec, bytes, channels)) }];
    }
    if (!canDecodeSound(codec)) {
      const rule = `only pcma, pcmu, aac, ac3, mp3 and opus can be made ${this.#codec}.`;
      unsupported(this.#conversion, track, rule);
    }
    if (codec === 'aac' && track.format.config.length === 0) {
      const rule = 'its publisher has not said how it is coded (no AudioSpecificConfig).';
      unsupported(this.#conversion, track, rule);
    }
    if (track !== this.#source || !this.#decoder) {
      this.#source = track;
      this.#decoder?.close();
      this.#decoder = undefined;
      this.#decoder = await SoundDecoder.open(codec, track.format, track.clockRate);
    }
    // What is broken leaves a hole, which the framer fills with silence.
    const sounds = (await this.#decoder.decode(bytes, pts)) ?? [];
    return sounds.map((sound) => ({
      ...sound,
      pts: rescale(sound.pts, track.clockRate, sound.sampleRate),
      planes: this.#mixed(sound.planes),
    }));
  }

  /** One or two channels, as it is wished. */
  #mixed(planes: readonly Float32Array[]): readonly Float32Array[] {
    const stereo = atMostStereo(planes);
    const { channels } = this.#conversion.request;
    return channels === undefined ? stereo : withChannels(stereo, channels);
  }

  #framerFor({ sampleRate, planes }: Decoded, { track }: AccessUnit): SoundFramer {
    const shape = `${sampleRate} ${planes.length}`;
    if (this.#framer && shape === this.#shape) return this.#framer;
    if (!Resampler.canDo(sampleRate, this.#rate)) {
      unsupported(this.#conversion, track, `its ${sampleRate} Hz cannot be made ${this.#rate}.`);
    }
    const isExact = track.format.codec === 'pcma' || track.format.codec === 'pcmu';
    this.#shape = shape;
    this.#closeEncoder();
    const isG711 = this.#codec === 'pcma' || this.#codec === 'pcmu';
    this.#framer = new SoundFramer({
      sampleRate,
      channels: planes.length,
      frameLength: isG711 ? G711_FRAME : frameLengthOf(this.#codec, this.#rate),
      frameRate: this.#rate,
      slack: isExact ? 0 : Math.round(SLACK_SECONDS * sampleRate),
    });
    return this.#framer;
  }

  async #encode(frame: SoundFrame, unit: AccessUnit): Promise<AccessUnit[]> {
    if (frame.restart) {
      this.#closeEncoder();
      this.#firstPts = Math.max(0, frame.pts);
    }
    const channels = frame.planes.length;
    const quality = BIT_RATE[unit.track.clockRate <= 16_000 ? 'speech' : 'music'];
    const bitRate = this.#conversion.request.bitRate ?? channels * quality;
    this.#encoder ??= await openEncoder(this.#codec, { sampleRate: this.#rate, channels, bitRate });
    this.#track = this.#trackFor(this.#encoder.config, channels);
    return this.#units(await this.#encoder.encode(frame.planes, frame.pts), unit);
  }

  #units(packets: readonly SoundPacket[], unit: AccessUnit): AccessUnit[] {
    const track = this.#track;
    if (!track) return [];
    return packets
      .filter(({ pts }) => pts >= this.#firstPts)
      .map(({ pts, data }) => {
        const ntp = unit.ntp + (pts / this.#rate - unit.pts / unit.track.clockRate) * 1000;
        return { track, pts, dts: pts, keyframe: true, ntp, payload: [data] };
      });
  }

  #trackFor(config: Buffer, channels: number): AudioTrack {
    const before = this.#track;
    if (before?.format.channels === channels && before.format.config.equals(config)) return before;
    const format = formatOf(this.#codec, { config, channels, sampleRate: this.#rate });
    return { id: this.#conversion.id, clockRate: this.#rate, format };
  }

  #closeEncoder(): void {
    this.#encoder?.close();
    this.#encoder = undefined;
  }
}

function refused(sentence: string): NamedError {
  return new NamedError('RENDITION_UNSUPPORTED', sentence, 415);
}

async function openEncoder(
  codec: SoundRenditionCodec,
  options: { readonly sampleRate: number; readonly channels: number; readonly bitRate: number },
): Promise<FrameEncoder> {
  if (codec !== 'pcma' && codec !== 'pcmu') return SoundEncoder.open({ codec, ...options });
  return {
    config: Buffer.alloc(0),
    encode: async (planes, pts) => [{ pts, data: encodeG711(codec, planes) }],
    drain: async () => [],
    close() {},
  };
}

function formatOf(
  codec: SoundRenditionCodec,
  of: { readonly config: Buffer; readonly channels: number; readonly sampleRate: number },
): AudioFormat {
  switch (codec) {
    case 'aac':
      return aacFormat(of.config);
    case 'opus':
      return opusFormat(of.channels);
    case 'mp3':
      return mp3Format(of.sampleRate, of.channels);
    case 'pcma':
      return pcmaFormat(of.sampleRate, of.channels);
    case 'pcmu':
      return pcmuFormat(of.sampleRate, of.channels);
  }
}
