import type { TaskSpec } from '#link/client.ts';
import { NamedError } from '#util/named-error.ts';
import { JpegEncoder } from './av/jpeg.ts';
import type { StreamDecoders } from './decoder.ts';
import type { Shot } from './picture-reader.ts';
import type { TaskContext, TaskOutcome } from './task.ts';

type PicturesSpec = Extract<TaskSpec, { kind: 'pictures' }>;

/**
 * Sends pictures of a stream as JPEG: with `fps` so many a second until it is stopped, without it the latest keyframe
 * and no more. A picture goes when the one before it has left, so a link that is full costs pictures and no memory.
 *
 * @throws {NamedError} PICTURES_UNAVAILABLE, where one keyframe is wanted of a stream that has none to decode
 */
export async function runPictures(
  spec: PicturesSpec,
  context: TaskContext,
  decoders: StreamDecoders,
): Promise<TaskOutcome> {
  const decoder = decoders.get(spec.stream, 'people');
  const reader = spec.fps === undefined ? decoder.open('keyframes', 0) : decoder.open('freshest', spec.fps);
  let unavailable: string | undefined;
  const look = () => {
    const { status } = decoder;
    if (status.state === 'waiting') context.state('waiting', status.reason);
    if (status.state !== 'waiting' || spec.fps !== undefined) return;
    unavailable = status.reason;
    reader.close();
  };
  const forget = decoder.events.on('status', look);
  const stop = () => reader.close();
  context.signal.addEventListener('abort', stop, { once: true });
  if (context.signal.aborted) stop();
  look();
  const maker = new PictureMaker(spec, context);
  try {
    for (let shot = await reader.next(); shot; shot = await reader.next()) {
      await maker.send(shot);
      context.state('running');
      if (spec.fps === undefined) return {};
      await context.link.drained();
    }
    if (unavailable !== undefined) throw new NamedError('PICTURES_UNAVAILABLE', unavailable, 415);
    return { reason: 'Stopped.' };
  } finally {
    context.signal.removeEventListener('abort', stop);
    forget();
    reader.close();
    maker.close();
  }
}

/** Shots in, JPEGs out to the hub. */
class PictureMaker {
  readonly #spec: PicturesSpec;
  readonly #context: TaskContext;
  #encoder: JpegEncoder | undefined;

  constructor(spec: PicturesSpec, context: TaskContext) {
    this.#spec = spec;
    this.#context = context;
  }

  async send({ picture, pts, ntp }: Shot): Promise<void> {
    try {
      const { width, height } = jpegSize(this.#spec.width, picture.width, picture.height);
      if (this.#encoder?.width !== width || this.#encoder.height !== height) {
        this.#encoder?.close();
        this.#encoder = undefined;
        this.#encoder = await JpegEncoder.open(width, height);
      }
      const jpeg = await this.#encoder.encode(picture);
      const { id: task, epoch } = this.#context.task;
      this.#context.link.sendPicture({ task, epoch, pts, ntp, width, height, jpeg });
    } finally {
      picture.release();
    }
  }

  close(): void {
    this.#encoder?.close();
  }
}

/** The size of a JPEG, pixels: never larger than the picture, which keeps its shape. */
export function jpegSize(
  wanted: number | undefined,
  width: number,
  height: number,
): { readonly width: number; readonly height: number } {
  if (wanted === undefined || wanted >= width) return { width, height };
  return { width: wanted, height: Math.max(1, Math.round((wanted * height) / width)) };
}
