import assert from 'node:assert';
import { sameNals } from '#codecs/nal.ts';
import { type AccessUnit, payloadSize } from '#media/access-unit.ts';
import { makesPictures, type PictureRenditionCodec } from '#media/rendition-request.ts';
import { isVideo, type VideoTrack } from '#media/track.ts';
import { NamedError } from '#util/named-error.ts';
import { giveUpHardware, workingHardware } from './av/encoder-probe.ts';
import type { HardwareEncoder } from './av/hardware-encoders.ts';
import { canDecode, type Picture, VideoDecoder } from './av/video.ts';
import { type EncodedPicture, VideoEncoder } from './av/video-encoder.ts';
import type { Pace } from './av/video-encoders.ts';
import { isFullRange, pixelAspectOf, ToYuv420 } from './av/yuv420.ts';
import { type Conversion, type Converter, unsupported } from './converter.ts';
import { fittedSize } from './picture-size.ts';
import { RateGate } from './rate-gate.ts';
import { SourceRate } from './source-rate.ts';

/** Ticks per second of pictures. */
const CLOCK_RATE = 90_000;
/** From one keyframe to the next, at most. */
const KEYFRAME_TICKS = 2 * CLOCK_RATE;
/** Pictures that are so far behind the newest are decoded, because others need them, and not encoded. */
const LATE_TICKS = CLOCK_RATE / 2;
/** The same of pictures that are drawn into: none is to be missing, so a machine that was held up catches up. */
const LATE_BURNED_TICKS = 8 * CLOCK_RATE;
/** The encoder begins anew, at a keyframe, when its source has turned out to have so many times its bits, or the other way. */
const RATE_TOLERANCE = 1.5;
/** Luma samples in a second above which the encoder has to be quicker. */
const MANY_SAMPLES = 1280 * 720 * 30;
/** Bits for the same picture, H.264 being 1. */
const BITS: Readonly<Record<PictureRenditionCodec, number>> = { h264: 1, h265: 0.7, mpeg4: 1.5 };
/** A picture with half the pixels needs more than half the bits. */
const PIXELS_EXPONENT = 0.75;
/** Pixels on a side that may be wished for. */
const SIDES = { least: 32, most: 8192 } as const;

/**
 * Makes pictures into H.264, H.265 or MPEG-4 part 2, the order of decoding being that of display: `dts` is `pts`, and
 * `pts` is that of the source. Live, where the machine cannot keep up, pictures are left out.
 */
export class PictureConverter implements Converter {
  readonly #conversion: Conversion;
  readonly #codec: PictureRenditionCodec;
  readonly #rate = new SourceRate(CLOCK_RATE);
  readonly #gate: RateGate;
  readonly #yuv420 = new ToYuv420();
  #source: VideoTrack | undefined;
  #decoder: VideoDecoder | undefined;
  /** Units whose pictures are still inside the decoder, by pts. */
  readonly #inside = new Map<number, AccessUnit>();
  /** Capture times of pictures that are inside the encoder, by pts. */
  readonly #captured = new Map<number, number>();
  /** Of the keyframe that decoding began with: pictures before it lack what they refer to. */
  #beganAt = 0;
  #isBroken = true;
  #encoder: VideoEncoder | undefined;
  /** What the encoder was made for. */
  #shape = '';
  #bitRate = 0;
  #track: VideoTrack | undefined;
  #latest = Number.NEGATIVE_INFINITY;
  #lastKeyframe = Number.NEGATIVE_INFINITY;
  #wantsKeyframe = true;

  /** @throws {NamedError} RENDITION_UNSUPPORTED */
  constructor(conversion: Conversion) {
    const { codec, width, height, fps = 0 } = conversion.request;
    assert(makesPictures(codec), 'A converter of pictures was asked for sound.');
    for (const side of [width, height]) {
      if (side === undefined || (side % 2 === 0 && side >= SIDES.least && side <= SIDES.most)) continue;
      const rule = `A picture cannot have ${side} pixels on a side. It can have even numbers from ${SIDES.least} to ${SIDES.most}.`;
      throw new NamedError('RENDITION_UNSUPPORTED', rule, 415);
    }
    this.#conversion = conversion;
    this.#codec = codec;
    this.#gate = new RateGate(fps);
  }

  requestKeyframe(): void {
    this.#wantsKeyframe = true;
  }

  async convert(unit: AccessUnit, fresh: boolean, newest: number | undefined): Promise<AccessUnit[]> {
    const { track, pts, keyframe, payload } = unit;
    this.#rate.note(unit.dts, payloadSize(unit));
    const pictures = track === this.#source ? [] : await this.#reopen(unit);
    if (fresh) this.#restart();
    if (this.#isBroken && !keyframe) return [];
    if (this.#isBroken) this.#beganAt = pts;
    this.#isBroken = false;
    this.#inside.set(pts, unit);
    const decoded = await this.#decoder?.decode(payload, pts, keyframe);
    if (decoded) pictures.push(...decoded);
    else this.#restart();
    return this.#showAll(pictures, newest);
  }

  async finish(): Promise<AccessUnit[]> {
    const made = await this.#showAll((await this.#decoder?.drain()) ?? [], undefined);
    this.#decoder?.close();
    this.#decoder = undefined;
    this.#source = undefined;
    made.push(...(await this.#drainEncoder()));
    return made;
  }

  close(): void {
    this.#decoder?.close();
    this.#decoder = undefined;
    this.#encoder?.close();
    this.#encoder = undefined;
    this.#yuv420.close();
  }

  /** Another format: the pictures still inside come out, and a new decoder begins. */
  async #reopen({ track }: AccessUnit): Promise<Picture[]> {
    if (!isVideo(track)) unsupported(this.#conversion, track, `only pictures can be made ${this.#codec}.`);
    const { codec } = track.format;
    if (!canDecode(codec)) unsupported(this.#conversion, track, 'there is no decoder for it here.');
    const left = (await this.#decoder?.drain()) ?? [];
    this.#decoder?.close();
    this.#decoder = undefined;
    this.#source = track;
    this.#isBroken = true;
    this.#decoder = await VideoDecoder.open(codec, this.#conversion.pace === 'file' ? 'file' : 'people');
    return left;
  }

  /** Nothing more until the next keyframe. */
  #restart(): void {
    this.#decoder?.flush();
    this.#inside.clear();
    this.#isBroken = true;
  }

  async #showAll(pictures: readonly Picture[], newest: number | undefined): Promise<AccessUnit[]> {
    const made: AccessUnit[] = [];
    try {
      for (const picture of pictures) made.push(...(await this.#show(picture, newest)));
    } finally {
      for (const picture of pictures) picture.release();
    }
    return made;
  }

  async #show(picture: Picture, newest: number | undefined): Promise<AccessUnit[]> {
    const { pts } = picture;
    const unit = this.#inside.get(pts);
    // Pictures come in order of display: what stands before this one will not come any more.
    for (const before of this.#inside.keys()) if (before <= pts) this.#inside.delete(before);
    if (!unit || pts <= this.#latest || (picture.damaged && pts < this.#beganAt)) return [];
    const { burner, request } = this.#conversion;
    // What was there before somebody wanted it is old: it begins with what is due.
    const hasBegun = this.#latest !== Number.NEGATIVE_INFINITY;
    const late = burner && hasBegun ? LATE_BURNED_TICKS : LATE_TICKS;
    if (newest !== undefined && newest - pts > late) return [];
    if (!this.#gate.isDue(pts)) return [];
    this.#gate.pass(pts);
    const { width, height } = picture;
    const size = fittedSize({ width, height, pixelAspect: pixelAspectOf(picture) }, request);
    const plain = await this.#yuv420.convert(picture, size);
    const painted = burner ? await burner.paint(plain, unit.ntp) : plain;
    try {
      return await this.#encode(painted, unit, picture);
    } finally {
      painted.release();
    }
  }

  async #encode(picture: Picture, unit: AccessUnit, source: Picture): Promise<AccessUnit[]> {
    const { pts } = picture;
    const isDue = pts - this.#lastKeyframe >= KEYFRAME_TICKS;
    const made = await this.#prepareEncoder(picture, source, isDue);
    const keyframe = this.#wantsKeyframe || isDue;
    this.#wantsKeyframe = false;
    this.#latest = pts;
    if (keyframe) this.#lastKeyframe = pts;
    this.#captured.set(pts, unit.ntp);
    made.push(...this.#units(await this.#encodeBy(this.#encoder!, picture, keyframe)));
    return made;
  }

  /** What fails is begun anew by whoever runs it, and then by software where it was the graphics hardware's. */
  async #encodeBy(encoder: VideoEncoder, picture: Picture, keyframe: boolean): Promise<EncodedPicture[]> {
    try {
      return await encoder.encode(picture, picture.pts, keyframe);
    } catch (error) {
      if (encoder.isHardware && this.#codec !== 'mpeg4') giveUpHardware(this.#codec);
      throw error;
    }
  }

  #units(encoded: readonly EncodedPicture[]): AccessUnit[] {
    const track = this.#track;
    if (!track) return [];
    return encoded.map(({ pts, keyframe, nals }) => {
      const ntp = this.#captured.get(pts) ?? 0;
      for (const before of this.#captured.keys()) if (before <= pts) this.#captured.delete(before);
      return { track, pts, dts: pts, keyframe, ntp, payload: nals };
    });
  }

  /** An encoder that fits the picture; gives what was left in the one before. */
  async #prepareEncoder(picture: Picture, source: Picture, mayChange: boolean): Promise<AccessUnit[]> {
    const { width, height } = picture;
    const fullRange = isFullRange(picture);
    const pixelAspect = pixelAspectOf(picture);
    const shape = [width, height, fullRange, pixelAspect].join();
    const bitRate = this.#conversion.request.bitRate ?? this.#ownBitRate(picture, source);
    const ratio = bitRate / this.#bitRate;
    const isOff = mayChange && (ratio > RATE_TOLERANCE || ratio < 1 / RATE_TOLERANCE);
    if (this.#encoder && this.#track && shape === this.#shape && !isOff) return [];
    const left = await this.#drainEncoder();
    const fps = this.#fps;
    const pace: Pace =
      this.#conversion.pace === 'file'
        ? { kind: 'file', bitRate }
        : { kind: 'live', bitRate, haste: this.#haste(width * height * fps) };
    const options = {
      ...{ codec: this.#codec, width, height, fullRange, fps: Math.round(fps), pace },
      // The time is what counts (KEYFRAME_TICKS): the number only has to be beyond it.
      gop: Math.round(fps) * 10,
      ...(pixelAspect && { pixelAspect }),
    };
    this.#encoder = await this.#open(options);
    this.#shape = shape;
    this.#bitRate = bitRate;
    this.#wantsKeyframe = true;
    const { format } = this.#encoder;
    if (!this.#track || !sameNals(this.#track.format.parameterSets, format.parameterSets)) {
      this.#track = { id: this.#conversion.id, clockRate: CLOCK_RATE, format };
    }
    return left;
  }

  /** @param samples luma samples a second */
  #haste(samples: number): 'none' | 'some' | 'most' {
    const isMuch = samples > MANY_SAMPLES;
    // Everything else that pictures which are drawn into need takes its time as well.
    if (this.#conversion.burner) return isMuch ? 'most' : 'some';
    return isMuch ? 'some' : 'none';
  }

  /** By the graphics hardware, where that is wished for and works with these pictures; else by software. */
  async #open(options: Parameters<typeof VideoEncoder.open>[0]): Promise<VideoEncoder> {
    const hardware = await this.#hardware();
    if (!hardware) return VideoEncoder.open(options);
    return VideoEncoder.open({ ...options, fullRange: false, hardware }).catch((error: unknown) => {
      const sentence = `${hardware.name} does not take these pictures, software does: ${String(error)}`;
      this.#conversion.log('warn', sentence);
      return VideoEncoder.open(options);
    });
  }

  async #hardware(): Promise<HardwareEncoder | undefined> {
    const { codec, hardware } = this.#conversion.request;
    if (hardware !== 'auto' || (codec !== 'h264' && codec !== 'h265')) return undefined;
    return workingHardware(codec, this.#conversion.log);
  }

  /** Pictures a second that are encoded, at least 1. */
  get #fps(): number {
    const { fps } = this.#conversion.request;
    return Math.max(1, Math.min(this.#rate.fps, fps ?? Number.POSITIVE_INFINITY));
  }

  /** Bits per second with which what is made looks about as the source. */
  #ownBitRate(picture: Picture, source: Picture): number {
    const bits = this.#rate.bitRate(source.width, source.height);
    const pixels = (picture.width * picture.height) / (source.width * source.height);
    return Math.round(bits * pixels ** PIXELS_EXPONENT * (this.#fps / this.#rate.fps) * BITS[this.#codec]);
  }

  async #drainEncoder(): Promise<AccessUnit[]> {
    const encoder = this.#encoder;
    if (!encoder) return [];
    this.#encoder = undefined;
    try {
      return this.#units(await encoder.drain());
    } finally {
      encoder.close();
    }
  }
}
