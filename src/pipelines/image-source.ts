import { h264Format } from '#codecs/h264.ts';
import type { TaskSpec } from '#link/client.ts';
import type { VideoTrack } from '#media/track.ts';
import { NamedError } from '#util/named-error.ts';
import { type EncodedPicture, H264Encoder } from './av/h264-encoder.ts';
import { AvError } from './av/library.ts';
import { PictureInput } from './av/picture-input.ts';
import { unreadable } from './open-file.ts';
import { Pacer } from './pacer.ts';
import { publishing } from './publish.ts';
import { sleep, type TaskContext, type TaskOutcome } from './task.ts';

type FileSourceSpec = Extract<TaskSpec, { kind: 'file-source' }>;

/** Often enough for players to start soon and to see that it lives. */
const FPS = 5;
/** Pictures from keyframe to keyframe: 2 s. */
const GOP = 10;
const STEP = 90_000 / FPS;

/** Whether a path is that of a picture, by the end of its name. */
export function isImage(path: string): boolean {
  return /\.(?:jpe?g|png|webp|bmp|gif|tiff?)$/i.test(path);
}

/**
 * Publishes a picture as video of 5 pictures a second. One group of pictures is encoded once and then repeated with new
 * timestamps: each begins with a keyframe and refers to nothing before it, so a still picture costs no encoder.
 *
 * @throws {NamedError} INPUT_UNREADABLE, or PUBLICATION_ENDED when the hub ended it
 */
export async function runImageSource(spec: FileSourceSpec, context: TaskContext): Promise<TaskOutcome> {
  const { pictures, parameterSets } = await encodeStill(spec.path, context.signal);
  const track: VideoTrack = { id: 0, clockRate: 90_000, format: h264Format(parameterSets) };
  await publishing(context, spec.stream, [track], 'The source was stopped.', async (publication, stop) => {
    const pacer = new Pacer();
    const origin = performance.timeOrigin + performance.now();
    for (let n = 0; !stop.aborted; n++) {
      const { keyframe, nals } = pictures[n % pictures.length]!;
      const pts = n * STEP;
      const ms = pts / 90;
      await sleep(pacer.wait(ms, performance.now()), stop);
      if (stop.aborted) return;
      publication.write({ track, pts, dts: pts, keyframe, ntp: origin + ms, payload: nals });
    }
  });
  return { reason: 'Stopped.' };
}

/** @throws {NamedError} INPUT_UNREADABLE */
async function encodeStill(
  path: string,
  signal: AbortSignal,
): Promise<{ pictures: readonly EncodedPicture[]; parameterSets: readonly Buffer[] }> {
  try {
    await using input = await PictureInput.image(path, signal);
    const picture = await input.next();
    if (!picture) throw unreadable(path, 'there is no picture in it');
    try {
      const { width, height } = picture;
      const encoder = await H264Encoder.open({ width, height, fps: FPS, gop: GOP });
      try {
        const pictures: EncodedPicture[] = [];
        for (let n = 0; n < GOP; n++) pictures.push(...(await encoder.encode(picture, n * STEP)));
        return { pictures, parameterSets: encoder.parameterSets };
      } finally {
        encoder.close();
      }
    } finally {
      picture.release();
    }
  } catch (error) {
    if (error instanceof NamedError || signal.aborted) throw error;
    throw error instanceof AvError
      ? unreadable(path, 'it is no picture that FFmpeg can decode', error)
      : error;
  }
}
