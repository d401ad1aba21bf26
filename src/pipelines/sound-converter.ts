import { aacFormat } from '#codecs/aac.ts';
import { opusFormat } from '#codecs/opus.ts';
import type { AccessUnit } from '#media/access-unit.ts';
import { rescale } from '#media/timestamps.ts';
import { type AudioTrack, isAudio } from '#media/track.ts';
import { canDecodeSound, SoundDecoder } from './av/sound-decoder.ts';
import { FRAME_LENGTH, SoundEncoder } from './av/sound-encoder.ts';
import { type Converter, type RenditionSpec, unsupported } from './converter.ts';
import { decodeG711 } from './g711.ts';
import { Resampler } from './resampler.ts';
import { atMostStereo, FRAME_RATE, type Sound, type SoundFrame, SoundFramer } from './sound-framer.ts';

/** Bits per second and channel: what G.711 holds is well kept by the lesser. */
const BIT_RATE = { speech: 48_000, music: 64_000 } as const;
/** Timestamps of coded sound may be rounded, to milliseconds at worst; what stands beside its place by that is left. */
const SLACK_SECONDS = 0.001;

/** Sound that was decoded, at the rate at which it came out. */
interface Decoded extends Sound {
  readonly sampleRate: number;
}

/**
 * Makes sound into AAC-LC or Opus at 48 kHz. Times are those of the source to the sample: what decoder, resampler and
 * encoder delay is taken off.
 */
export class SoundConverter implements Converter {
  readonly #spec: RenditionSpec;
  readonly #codec: 'aac' | 'opus';
  #source: AudioTrack | undefined;
  #decoder: SoundDecoder | undefined;
  #framer: SoundFramer | undefined;
  /** Rate and channels of what the framer takes. */
  #shape = '';
  #encoder: SoundEncoder | undefined;
  #track: AudioTrack | undefined;
  /** Of the first sound: the encoder's first packets lie before it, priming, nothing to hear. */
  #firstPts = 0;

  constructor(spec: RenditionSpec, codec: 'aac' | 'opus') {
    this.#spec = spec;
    this.#codec = codec;
  }

  async convert(unit: AccessUnit): Promise<AccessUnit[]> {
    const made: AccessUnit[] = [];
    for (const sound of await this.#decode(unit)) {
      const framer = this.#framerFor(sound, unit);
      for (const frame of framer.push(sound)) made.push(...(await this.#encode(frame, unit)));
    }
    return made;
  }

  close(): void {
    this.#decoder?.close();
    this.#decoder = undefined;
    this.#closeEncoder();
  }

  async #decode(unit: AccessUnit): Promise<Decoded[]> {
    const { track, pts, payload } = unit;
    if (!isAudio(track)) unsupported(this.#spec, track, `only sound can be made ${this.#codec}.`);
    const { codec, sampleRate, channels } = track.format;
    const bytes = payload.length === 1 ? payload[0]! : Buffer.concat(payload);
    if (codec === 'pcma' || codec === 'pcmu') {
      this.#source = track;
      return [{ pts, sampleRate, planes: atMostStereo(decodeG711(codec, bytes, channels)) }];
    }
    if (!canDecodeSound(codec)) {
      unsupported(this.#spec, track, `only pcma, pcmu, aac, ac3, mp3 and opus can be made ${this.#codec}.`);
    }
    if (codec === 'aac' && track.format.config.length === 0) {
      unsupported(this.#spec, track, 'its publisher has not said how it is coded (no AudioSpecificConfig).');
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
      planes: atMostStereo(sound.planes),
    }));
  }

  #framerFor({ sampleRate, planes }: Decoded, { track }: AccessUnit): SoundFramer {
    const shape = `${sampleRate} ${planes.length}`;
    if (this.#framer && shape === this.#shape) return this.#framer;
    if (!Resampler.canDo(sampleRate, FRAME_RATE)) {
      unsupported(this.#spec, track, `its ${sampleRate} Hz cannot be made ${FRAME_RATE}.`);
    }
    const isExact = track.format.codec === 'pcma' || track.format.codec === 'pcmu';
    this.#shape = shape;
    this.#closeEncoder();
    this.#framer = new SoundFramer({
      sampleRate,
      channels: planes.length,
      frameLength: FRAME_LENGTH[this.#codec],
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
    const bitRate = channels * BIT_RATE[unit.track.clockRate <= 16_000 ? 'speech' : 'music'];
    this.#encoder ??= await SoundEncoder.open({
      ...{ codec: this.#codec, sampleRate: FRAME_RATE, channels, bitRate },
    });
    const track = this.#trackFor(this.#encoder.config, channels);
    const made: AccessUnit[] = [];
    for (const { pts, data } of await this.#encoder.encode(frame.planes, frame.pts)) {
      if (pts < this.#firstPts) continue;
      const ntp = unit.ntp + (pts / FRAME_RATE - unit.pts / unit.track.clockRate) * 1000;
      made.push({ track, pts, dts: pts, keyframe: true, ntp, payload: [data] });
    }
    return made;
  }

  #trackFor(config: Buffer, channels: number): AudioTrack {
    const before = this.#track;
    if (before?.format.channels === channels && before.format.config.equals(config)) return before;
    const format = this.#codec === 'aac' ? aacFormat(config) : opusFormat(channels);
    this.#track = { id: this.#spec.id, clockRate: FRAME_RATE, format };
    return this.#track;
  }

  #closeEncoder(): void {
    this.#encoder?.close();
    this.#encoder = undefined;
  }
}
