import { sameNals } from '#codecs/nal.ts';
import { type AccessUnit, payloadSize } from '#media/access-unit.ts';
import { isVideo, type VideoTrack } from '#media/track.ts';
import { canDecode, type Picture, VideoDecoder } from './av/video.ts';
import { VideoEncoder } from './av/video-encoder.ts';
import { isFullRange, pixelAspectOf, ToYuv420 } from './av/yuv420.ts';
import { type Converter, type RenditionSpec, unsupported } from './converter.ts';
import { SourceRate } from './source-rate.ts';

/** Ticks per second of pictures. */
const CLOCK_RATE = 90_000;
/** From one keyframe to the next, at most. */
const KEYFRAME_TICKS = 2 * CLOCK_RATE;
/** Pictures that are so far behind the newest are decoded, because others need them, and not encoded. */
const LATE_TICKS = CLOCK_RATE / 2;
/** The encoder begins anew, at a keyframe, when its source has turned out to have so many times its bits, or the other way. */
const RATE_TOLERANCE = 1.5;
/** Luma samples in a second above which the encoder has to be quicker. */
const MANY_SAMPLES = 1280 * 720 * 30;

/**
 * Makes pictures into H.264 whose order of decoding is that of display: `dts` is `pts`, and `pts` is that of the source.
 * Where the machine cannot keep up, pictures are left out.
 */
export class PictureConverter implements Converter {
  readonly #spec: RenditionSpec;
  readonly #rate = new SourceRate(CLOCK_RATE);
  readonly #yuv420 = new ToYuv420();
  #source: VideoTrack | undefined;
  #decoder: VideoDecoder | undefined;
  /** Units whose pictures are still inside the decoder, by pts. */
  readonly #inside = new Map<number, AccessUnit>();
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

  constructor(spec: RenditionSpec) {
    this.#spec = spec;
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
    const made: AccessUnit[] = [];
    try {
      for (const picture of pictures) made.push(...(await this.#show(picture, newest)));
    } finally {
      for (const picture of pictures) picture.release();
    }
    return made;
  }

  close(): void {
    this.#decoder?.close();
    this.#decoder = undefined;
    this.#closeEncoder();
    this.#yuv420.close();
  }

  /** Another format: the pictures still inside come out, and a new decoder begins. */
  async #reopen({ track }: AccessUnit): Promise<Picture[]> {
    if (!isVideo(track)) unsupported(this.#spec, track, 'only pictures can be made h264.');
    const { codec } = track.format;
    if (!canDecode(codec)) unsupported(this.#spec, track, 'there is no decoder for it here.');
    const left = (await this.#decoder?.drain()) ?? [];
    this.#decoder?.close();
    this.#decoder = undefined;
    this.#source = track;
    this.#isBroken = true;
    this.#decoder = await VideoDecoder.open(codec, 'people');
    return left;
  }

  /** Nothing more until the next keyframe. */
  #restart(): void {
    this.#decoder?.flush();
    this.#inside.clear();
    this.#isBroken = true;
  }

  async #show(picture: Picture, newest: number | undefined): Promise<AccessUnit[]> {
    const { pts } = picture;
    const unit = this.#inside.get(pts);
    // Pictures come in order of display: what stands before this one will not come any more.
    for (const before of this.#inside.keys()) if (before <= pts) this.#inside.delete(before);
    if (!unit || pts <= this.#latest || (picture.damaged && pts < this.#beganAt)) return [];
    if (newest !== undefined && newest - pts > LATE_TICKS) return [];
    const plain = await this.#yuv420.convert(picture);
    try {
      return await this.#encode(plain, unit);
    } finally {
      plain.release();
    }
  }

  async #encode(picture: Picture, unit: AccessUnit): Promise<AccessUnit[]> {
    const { pts } = picture;
    const isDue = pts - this.#lastKeyframe >= KEYFRAME_TICKS;
    const { encoder, track } = await this.#encoderFor(picture, isDue);
    const keyframe = this.#wantsKeyframe || isDue;
    this.#wantsKeyframe = false;
    this.#latest = pts;
    if (keyframe) this.#lastKeyframe = pts;
    const encoded = await encoder.encode(picture, pts, keyframe);
    // Without delay there is one for each, and it is this one.
    return encoded.map((one) => ({
      ...{ track, pts: one.pts, dts: one.pts, keyframe: one.keyframe, ntp: unit.ntp, payload: one.nals },
    }));
  }

  async #encoderFor(
    picture: Picture,
    mayChange: boolean,
  ): Promise<{ encoder: VideoEncoder; track: VideoTrack }> {
    const { width, height } = picture;
    const fullRange = isFullRange(picture);
    const pixelAspect = pixelAspectOf(picture);
    const shape = [width, height, fullRange, pixelAspect].join();
    const bitRate = this.#rate.bitRate(width, height);
    const ratio = bitRate / this.#bitRate;
    const isOff = mayChange && (ratio > RATE_TOLERANCE || ratio < 1 / RATE_TOLERANCE);
    if (this.#encoder && this.#track && shape === this.#shape && !isOff) {
      return { encoder: this.#encoder, track: this.#track };
    }
    this.#closeEncoder();
    const { fps } = this.#rate;
    const isMuch = width * height * fps > MANY_SAMPLES;
    this.#encoder = await VideoEncoder.open({
      ...{ width, height, fullRange, fps: Math.round(fps) },
      // The time is what counts (KEYFRAME_TICKS): the number only has to be beyond it.
      gop: Math.round(fps) * 10,
      ...(pixelAspect && { pixelAspect }),
      stream: { bitRate, preset: isMuch ? 'superfast' : 'veryfast' },
    });
    this.#shape = shape;
    this.#bitRate = bitRate;
    this.#wantsKeyframe = true;
    const { format } = this.#encoder;
    if (!this.#track || !sameNals(this.#track.format.parameterSets, format.parameterSets)) {
      this.#track = { id: this.#spec.id, clockRate: CLOCK_RATE, format };
    }
    return { encoder: this.#encoder, track: this.#track };
  }

  #closeEncoder(): void {
    this.#encoder?.close();
    this.#encoder = undefined;
  }
}
