import { aacFormat } from '#codecs/aac.ts';
import type { TaskSpec } from '#link/client.ts';
import type { AudioTrack, VideoTrack } from '#media/track.ts';
import { PictureInput } from './av/picture-input.ts';
import { frameLengthOf, SoundEncoder } from './av/sound-encoder.ts';
import type { Picture } from './av/video.ts';
import { VideoEncoder } from './av/video-encoder.ts';
import type { FileUnit } from './file-reader.ts';
import { Pacer } from './pacer.ts';
import { publishing } from './publish.ts';
import { sleep, type TaskContext, type TaskOutcome } from './task.ts';

type TestSourceSpec = Extract<TaskSpec, { kind: 'test-source' }>;

const FPS = 25;
const STEP = 90_000 / FPS;
const SAMPLE_RATE = 48_000;
const BIT_RATE = 64_000;
/** Samples in a frame of AAC. */
const FRAME_LENGTH = frameLengthOf('aac', SAMPLE_RATE);
/** A beep begins when the clock in the picture begins another second. */
const BEEP = { hertz: 1000, samples: SAMPLE_RATE / 10, amplitude: 0.25 } as const;
/** Everything begins at one second: the encoder of the sound begins one frame before the first sample. */
const START_SECONDS = 1;

/**
 * A moving test picture with a running clock, and a beep at each of its seconds: one clock for both. As fast as it is
 * asked for.
 */
export class TestUnits implements AsyncDisposable {
  readonly tracks: readonly [VideoTrack, AudioTrack];
  /** It has no end. */
  readonly duration = undefined;
  readonly #input: PictureInput;
  readonly #video: VideoEncoder;
  readonly #audio: SoundEncoder;
  #queue: FileUnit[] = [];
  #pictures = 0;
  #samples = 0;

  private constructor(input: PictureInput, video: VideoEncoder, audio: SoundEncoder) {
    this.#input = input;
    this.#video = video;
    this.#audio = audio;
    this.tracks = [
      { id: 0, clockRate: 90_000, format: video.format },
      { id: 1, clockRate: SAMPLE_RATE, format: aacFormat(audio.config) },
    ];
  }

  static async open(signal: AbortSignal): Promise<TestUnits> {
    const input = await PictureInput.graph(`testsrc2=size=640x360:rate=${FPS},format=yuv420p`, signal);
    let video: VideoEncoder | undefined;
    try {
      video = await VideoEncoder.open({ width: 640, height: 360, fps: FPS, gop: 2 * FPS });
      const sound = { codec: 'aac', sampleRate: SAMPLE_RATE, channels: 1, bitRate: BIT_RATE } as const;
      return new TestUnits(input, video, await SoundEncoder.open(sound));
    } catch (error) {
      video?.close();
      await input[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** The next one in the order of time; undefined once its signal was aborted. */
  async next(): Promise<FileUnit | undefined> {
    while (this.#queue.length === 0) {
      const picture = await this.#input.next();
      if (!picture) return undefined;
      try {
        await this.#show(picture);
      } finally {
        picture.release();
      }
    }
    return this.#queue.shift();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#video.close();
    this.#audio.close();
    await this.#input[Symbol.asyncDispose]();
  }

  /** A picture, and the sound up to it. */
  async #show(picture: Picture): Promise<void> {
    const [videoTrack, audioTrack] = this.tracks;
    const n = this.#pictures++;
    for (const { pts: at, keyframe, nals } of await this.#video.encode(picture, n * STEP)) {
      const pts = at + START_SECONDS * 90_000;
      this.#queue.push({ track: videoTrack, pts, dts: pts, keyframe, payload: nals });
    }
    for (; this.#samples < (n * SAMPLE_RATE) / FPS; this.#samples += FRAME_LENGTH) {
      for (const { pts: at, data } of await this.#audio.encode([sound(this.#samples)], this.#samples)) {
        const pts = at + START_SECONDS * SAMPLE_RATE;
        this.#queue.push({ track: audioTrack, pts, dts: pts, keyframe: true, payload: [data] });
      }
    }
  }
}

/**
 * Publishes the test picture at the speed of time.
 *
 * @throws {NamedError} PUBLICATION_ENDED when the hub ended it
 */
export async function runTestSource(spec: TestSourceSpec, context: TaskContext): Promise<TaskOutcome> {
  const { signal } = context;
  await using units = await TestUnits.open(signal);
  await publishing(
    context,
    spec.stream,
    units.tracks,
    'The source was stopped.',
    async (publication, stop) => {
      const pacer = new Pacer();
      const origin = performance.timeOrigin + performance.now() - START_SECONDS * 1000;
      while (!stop.aborted) {
        const unit = await units.next();
        if (!unit) return;
        const ms = (unit.pts / unit.track.clockRate) * 1000;
        await sleep(pacer.wait(ms, performance.now()), stop);
        if (!stop.aborted) publication.write({ ...unit, ntp: origin + ms });
      }
    },
  );
  return { reason: 'Stopped.' };
}

/** One frame of sound that begins with sample `first`. */
export function sound(first: number): Float32Array {
  return Float32Array.from({ length: FRAME_LENGTH }, (_, n) => {
    const inSecond = (first + n) % SAMPLE_RATE;
    if (inSecond >= BEEP.samples) return 0;
    return BEEP.amplitude * Math.sin((2 * Math.PI * BEEP.hertz * inSecond) / SAMPLE_RATE);
  });
}
