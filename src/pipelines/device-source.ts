import type { LinkPublication, TaskSpec } from '#link/client.ts';
import type { Track, VideoTrack } from '#media/track.ts';
import { DEVICE, ForbiddenAddress } from '#util/guarded-lookup.ts';
import { Input } from './av/input.ts';
import type { PictureInput } from './av/picture-input.ts';
import type { Picture } from './av/video.ts';
import { VideoEncoder } from './av/video-encoder.ts';
import { type CaptureInput, captureInputs } from './capture-input.ts';
import { CapturedSound } from './captured-sound.ts';
import { DeviceClock } from './device-clock.ts';
import { deviceGone, deviceRefusal } from './device-refusal.ts';
import { lookAtMachine } from './machine-devices.ts';
import { isPcm } from './pcm.ts';
import { publishing } from './publish.ts';
import type { TaskContext, TaskOutcome } from './task.ts';

type DeviceSourceSpec = Extract<TaskSpec, { kind: 'device-source' }>;

/** At least every so many ticks (2 s) a keyframe, however many pictures a second come. */
const KEYFRAME_TICKS = 2 * 90_000;
/** More pictures than come in that time. */
const LONGEST_GOP = 1000;
/** A camera that is asked for nothing else is shown fast; AVFoundation does not say how fast. */
const FPS = 30;

/**
 * Publishes what a device gives: pictures as H.264 without delay, sound as AAC, with the times of their capture. Both have
 * one origin, so they are as far apart as they were captured.
 *
 * @throws {NamedError} DEVICE_MISSING, DEVICE_FORBIDDEN, DEVICE_UNSUPPORTED, DEVICE_FAILED, SOURCE_FORBIDDEN, or
 *   PUBLICATION_ENDED when the hub ended it
 */
export async function runDeviceSource(spec: DeviceSourceSpec, context: TaskContext): Promise<TaskOutcome> {
  if (spec.forbidden) throw new ForbiddenAddress(spec.address, DEVICE);
  const { video, audio, soundIsExtra } = captureInputs(spec.device, await lookAtMachine());
  const { signal } = context;
  await using devices = new AsyncDisposableStack();
  // The sound first: its device is the one that may be missing without harm.
  const sound = audio && (await openSound(audio, video ? 1 : 0, signal, soundIsExtra, context));
  if (sound) devices.use(sound);
  const picture = video && devices.use(await CapturedPicture.open(video, signal));
  const parts = [picture, sound].filter((part) => part !== undefined);
  const last = 'The source was stopped.';
  await publishing(
    context,
    spec.stream,
    parts.map(({ track }) => track),
    last,
    async (publication, stop) => {
      const origin = new Origin();
      const drained = () => context.link.drained();
      // One that fails ends the other: its readers wait for both.
      const failed = new AbortController();
      const until = AbortSignal.any([stop, failed.signal]);
      const runs = parts.map(async (part) => {
        try {
          await part.run(publication, origin, drained, until);
        } catch (error) {
          failed.abort();
          throw error;
        }
      });
      await Promise.allSettled(runs);
      await Promise.all(runs);
    },
  );
  return { reason: 'Stopped.' };
}

/** When the first of all parts was captured, ms since 1970: zero of all timestamps. */
class Origin {
  #at: number | undefined;

  since(captured: number): number {
    this.#at ??= captured;
    return captured - this.#at;
  }

  get at(): number {
    return this.#at ?? 0;
  }
}

interface Part extends AsyncDisposable {
  readonly track: Track;
  /** Publishes what comes, until it is told to stop. */
  run(
    publication: LinkPublication,
    origin: Origin,
    drained: () => Promise<void>,
    stop: AbortSignal,
  ): Promise<void>;
}

/** The wall clock, as it was when this process began and is never set. */
function now(): number {
  return performance.timeOrigin + performance.now();
}

async function openInput({ format, url, options, label }: CaptureInput, signal: AbortSignal): Promise<Input> {
  try {
    return await Input.open(url, { format, options, signal });
  } catch (error) {
    throw await deviceRefusal({ format, url, label }, error);
  }
}

class CapturedPicture implements Part {
  readonly track: VideoTrack;
  readonly #label: string;
  readonly #pictures: PictureInput;
  readonly #encoder: VideoEncoder;
  readonly #clock = new DeviceClock();
  /** The next one, as long as nobody has written it. */
  #first: Picture | undefined;

  private constructor(label: string, pictures: PictureInput, first: Picture, encoder: VideoEncoder) {
    this.#label = label;
    this.#pictures = pictures;
    this.#first = first;
    this.#encoder = encoder;
    this.track = { id: 0, clockRate: 90_000, format: encoder.format };
  }

  static async open(wanted: CaptureInput, signal: AbortSignal): Promise<CapturedPicture> {
    const input = await openInput(wanted, signal);
    const stream = input.streams.find(({ kind }) => kind === 'video');
    if (!stream) {
      await input.close();
      throw deviceGone(wanted.label, 'it gives no pictures');
    }
    const pictures = await input.pictures(stream.index);
    let first: Picture | undefined;
    try {
      first = await pictures.next();
      if (!first) throw deviceGone(wanted.label, 'it gives no pictures');
      const { width, height } = first;
      const fps = Math.round(stream.fps) || FPS;
      const encoder = await VideoEncoder.open({ width, height, fps, gop: LONGEST_GOP });
      return new CapturedPicture(wanted.label, pictures, first, encoder);
    } catch (error) {
      first?.release();
      await pictures[Symbol.asyncDispose]();
      throw await deviceRefusal(wanted, error);
    }
  }

  async run(...[publication, origin, drained, stop]: Parameters<Part['run']>): Promise<void> {
    let last = Number.NEGATIVE_INFINITY;
    let keyframeAt = Number.NEGATIVE_INFINITY;
    while (!stop.aborted) {
      const picture = await this.#next();
      try {
        const ntp = this.#clock.captured(this.#pictures.seconds(picture) * 1000, now());
        const pts = Math.max(last + 1, Math.round(origin.since(ntp) * 90));
        const keyframe = pts - keyframeAt >= KEYFRAME_TICKS;
        if (keyframe) keyframeAt = pts;
        last = pts;
        for (const one of await this.#encoder.encode(picture, pts, keyframe)) {
          const { pts: at, keyframe: isKeyframe, nals } = one;
          const captured = origin.at + at / 90;
          const payload = nals;
          publication.write({
            track: this.track,
            pts: at,
            dts: at,
            keyframe: isKeyframe,
            ntp: captured,
            payload,
          });
        }
      } finally {
        picture.release();
      }
      await drained();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#first?.release();
    this.#encoder.close();
    await this.#pictures[Symbol.asyncDispose]();
  }

  async #next(): Promise<Picture> {
    const first = this.#first;
    this.#first = undefined;
    if (first) return first;
    const label = this.#label;
    const picture = await this.#pictures.next().catch((error: unknown) => {
      throw deviceGone(label, 'reading it failed', error);
    });
    if (!picture) throw deviceGone(label, 'it gives no more pictures');
    return picture;
  }
}

/** @param isExtra it goes without, where it cannot be had */
async function openSound(
  wanted: CaptureInput,
  id: number,
  signal: AbortSignal,
  isExtra: boolean,
  { log }: TaskContext,
): Promise<SoundPart | undefined> {
  try {
    return await SoundPart.open(wanted, id, signal);
  } catch (error) {
    if (!isExtra || signal.aborted) throw error;
    log('warn', `The picture goes without sound. ${error instanceof Error ? error.message : String(error)}`);
    return undefined;
  }
}

class SoundPart implements Part {
  readonly #label: string;
  readonly #input: Input;
  readonly #sound: CapturedSound;
  readonly #secondsPerTick: number;
  readonly #clock = new DeviceClock();

  private constructor(label: string, input: Input, sound: CapturedSound, secondsPerTick: number) {
    this.#label = label;
    this.#input = input;
    this.#sound = sound;
    this.#secondsPerTick = secondsPerTick;
  }

  get track(): Track {
    return this.#sound.track;
  }

  static async open(wanted: CaptureInput, id: number, signal: AbortSignal): Promise<SoundPart> {
    const input = await openSoundInput(wanted, signal);
    try {
      const stream = input.streams.find(({ kind }) => kind === 'audio');
      const codec = stream?.codecName ?? 'nothing';
      if (!stream || !isPcm(codec) || !CapturedSound.canTake(stream.sampleRate)) {
        const what = `it gives ${codec} of ${stream?.sampleRate ?? 0} Hz, which Sluice cannot take`;
        throw deviceGone(wanted.label, what);
      }
      input.select([stream.index]);
      const { sampleRate, channels, timeBase } = stream;
      const sound = await CapturedSound.open(id, { codec, sampleRate, channels });
      return new SoundPart(wanted.label, input, sound, Number(timeBase.num) / Number(timeBase.den));
    } catch (error) {
      await input.close();
      throw error;
    }
  }

  async run(...[publication, origin, drained, stop]: Parameters<Part['run']>): Promise<void> {
    while (!stop.aborted) {
      const packet = await this.#input.read().catch((error: unknown) => {
        if (stop.aborted) return undefined;
        throw deviceGone(this.#label, 'reading it failed', error);
      });
      if (stop.aborted) return;
      if (!packet) throw deviceGone(this.#label, 'it gives no more sound');
      const captured = this.#clock.captured(Number(packet.pts) * this.#secondsPerTick * 1000, now());
      const since = origin.since(captured);
      const units = await this.#sound.take(packet.data, since, origin.at);
      for (const unit of units) publication.write(unit);
      await drained();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#sound.close();
    await this.#input.close();
  }
}

/** ALSA asks for two channels, and many a microphone has one. */
async function openSoundInput(wanted: CaptureInput, signal: AbortSignal): Promise<Input> {
  const stereo = openInput(wanted, signal);
  if (wanted.format !== 'alsa') return stereo;
  const mono = { ...wanted, options: { ...wanted.options, ch_layout: 'mono' } };
  // What was wrong at first tells more.
  return stereo.catch(() => openInput(mono, signal).catch(() => stereo));
}
