import { aacFormat } from '#codecs/aac.ts';
import type { LinkPublication, TaskSpec } from '#link/client.ts';
import type { AudioTrack, VideoTrack } from '#media/track.ts';
import { PictureInput } from './av/picture-input.ts';
import { frameLengthOf, SoundEncoder } from './av/sound-encoder.ts';
import { VideoEncoder } from './av/video-encoder.ts';
import { Pacer } from './pacer.ts';
import { publishing } from './publish.ts';
import { sleep, type TaskContext, type TaskOutcome } from './task.ts';

type TestSourceSpec = Extract<TaskSpec, { kind: 'test-source' }>;

const FPS = 25;
const STEP = 90_000 / FPS;
const SAMPLE_RATE = 48_000;
const BIT_RATE = 64_000;
/** A beep begins when the clock in the picture begins another second. */
/** Samples in a frame of AAC. */
const FRAME_LENGTH = frameLengthOf('aac', SAMPLE_RATE);
const BEEP = { hertz: 1000, samples: SAMPLE_RATE / 10, amplitude: 0.25 } as const;
/** Everything begins at one second: the encoder of the sound begins one frame before the first sample. */
const START_SECONDS = 1;

/**
 * Publishes a moving test picture with a running clock, and a beep at each of its seconds: one clock for both.
 *
 * @throws {NamedError} PUBLICATION_ENDED when the hub ended it
 */
export async function runTestSource(spec: TestSourceSpec, context: TaskContext): Promise<TaskOutcome> {
  const { signal } = context;
  await using input = await PictureInput.graph(`testsrc2=size=640x360:rate=${FPS},format=yuv420p`, signal);
  const video = await VideoEncoder.open({ width: 640, height: 360, fps: FPS, gop: 2 * FPS });
  try {
    const audio = await SoundEncoder.open({
      codec: 'aac',
      sampleRate: SAMPLE_RATE,
      channels: 1,
      bitRate: BIT_RATE,
    });
    try {
      const tracks = {
        video: { id: 0, clockRate: 90_000, format: video.format } satisfies VideoTrack,
        audio: { id: 1, clockRate: SAMPLE_RATE, format: aacFormat(audio.config) } satisfies AudioTrack,
      };
      const all = [tracks.video, tracks.audio];
      await publishing(context, spec.stream, all, 'The source was stopped.', (publication, stop) =>
        play({ input, video, audio, tracks, publication }, stop),
      );
    } finally {
      audio.close();
    }
  } finally {
    video.close();
  }
  return { reason: 'Stopped.' };
}

interface Parts {
  readonly input: PictureInput;
  readonly video: VideoEncoder;
  readonly audio: SoundEncoder;
  readonly tracks: { readonly video: VideoTrack; readonly audio: AudioTrack };
  readonly publication: LinkPublication;
}

async function play({ input, video, audio, tracks, publication }: Parts, stop: AbortSignal): Promise<void> {
  const pacer = new Pacer();
  const origin = performance.timeOrigin + performance.now();
  let samples = 0;
  for (let n = 0; !stop.aborted; n++) {
    const ms = (n * 1000) / FPS;
    await sleep(pacer.wait(ms, performance.now()), stop);
    if (stop.aborted) return;
    const picture = await input.next();
    if (!picture) return;
    try {
      for (const { pts: at, keyframe, nals } of await video.encode(picture, n * STEP)) {
        const pts = at + START_SECONDS * 90_000;
        publication.write({
          track: tracks.video,
          pts,
          dts: pts,
          keyframe,
          ntp: origin + at / 90,
          payload: nals,
        });
      }
    } finally {
      picture.release();
    }
    for (; samples < (ms / 1000) * SAMPLE_RATE; samples += FRAME_LENGTH) {
      for (const { pts: at, data } of await audio.encode([sound(samples)], samples)) {
        const pts = at + START_SECONDS * SAMPLE_RATE;
        const ntp = origin + (at / SAMPLE_RATE) * 1000;
        publication.write({ track: tracks.audio, pts, dts: pts, keyframe: true, ntp, payload: [data] });
      }
    }
  }
}

/** One frame of sound that begins with sample `first`. */
export function sound(first: number): Float32Array {
  return Float32Array.from({ length: FRAME_LENGTH }, (_, n) => {
    const inSecond = (first + n) % SAMPLE_RATE;
    if (inSecond >= BEEP.samples) return 0;
    return BEEP.amplitude * Math.sin((2 * Math.PI * BEEP.hertz * inSecond) / SAMPLE_RATE);
  });
}
