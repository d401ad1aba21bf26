import type { VideoFormat } from '#media/track.ts';
import { confinedPath } from '#util/confined-path.ts';
import { NamedError } from '#util/named-error.ts';
import { Letterbox } from './av/letterbox.ts';
import { AvError } from './av/library.ts';
import { PictureInput } from './av/picture-input.ts';
import type { Picture } from './av/video.ts';
import { type EncodedPicture, VideoEncoder } from './av/video-encoder.ts';
import { CONTAINERS, checkFile, unreadable } from './open-file.ts';

/** A still picture: often enough for players to start soon and to see that it lives; 2 s from keyframe to keyframe. */
const STILL = { fps: 5, pictures: 10 } as const;
/** What is taken of a clip: it is kept in memory once it was encoded. */
const CLIP = { seconds: 30, fps: 30, gop: 50, bytes: 64 << 20 } as const;

/** FFmpeg's names of what holds one picture. */
const PICTURES = 'image2,jpeg_pipe,png_pipe,webp_pipe,bmp_pipe,gif,tiff_pipe,apng';

export interface LoopOptions {
  /** Default H.264. */
  readonly codec?: 'h264' | 'h265';
  /** Pixels, both even; default: the size of the picture. What has another shape stands in the middle of black. */
  readonly size?: { readonly width: number; readonly height: number } | undefined;
  /** The folders that it has to be in, links followed; absent: any. */
  readonly within?: readonly string[] | undefined;
}

/** Whether a path is that of a picture, by the end of its name. */
export function isImage(path: string): boolean {
  return /\.(?:jpe?g|png|webp|bmp|gif|tiff?)$/i.test(path);
}

/**
 * A picture, or the pictures of a clip, as video without an end. They are encoded once, while they are shown first, and
 * then repeated with new timestamps: each pass begins with a keyframe and refers to nothing before it, so what goes on
 * for hours costs no encoder. Of a clip it is the first 30 s.
 */
export class PictureLoop implements AsyncDisposable {
  readonly format: VideoFormat;
  readonly #path: string;
  readonly #input: PictureInput;
  readonly #encoder: VideoEncoder;
  readonly #letterbox: Letterbox | undefined;
  #first: Picture | undefined;

  private constructor(
    path: string,
    input: PictureInput,
    encoder: VideoEncoder,
    letterbox: Letterbox | undefined,
    first: Picture,
  ) {
    this.#path = path;
    this.#input = input;
    this.#encoder = encoder;
    this.#letterbox = letterbox;
    this.#first = first;
    this.format = encoder.format;
  }

  /** @throws {NamedError} INPUT_MISSING, INPUT_UNREADABLE, SOURCE_FORBIDDEN */
  static async open(path: string, options: LoopOptions, signal: AbortSignal): Promise<PictureLoop> {
    const { within } = options;
    const real = within ? await confinedPath(path, within) : path;
    await checkFile(path);
    const formats = within && `${CONTAINERS},${PICTURES}`;
    const input = await attempt(path, signal, () => PictureInput.file(real, signal, formats));
    try {
      const first = await attempt(path, signal, () => input.next());
      if (!first) throw unreadable(path, 'there is no picture in it');
      const { width, height } = options.size ?? first;
      const { codec = 'h264' } = options;
      const { fps, gop } = isImage(path) ? { fps: STILL.fps, gop: STILL.pictures } : CLIP;
      const encoder = await VideoEncoder.open({ codec, width, height, fps, gop });
      return new PictureLoop(path, input, encoder, options.size && new Letterbox(options.size), first);
    } catch (error) {
      await input[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** All of them, for ever; `pts` in 90 kHz ticks from 0 on. Once only. */
  async *pictures(): AsyncGenerator<EncodedPicture, undefined> {
    const pass: EncodedPicture[] = [];
    let bytes = 0;
    for await (const one of isImage(this.#path) ? this.#still() : this.#clip()) {
      pass.push(one);
      yield one;
      bytes += one.nals.reduce((sum, nal) => sum + nal.length, 0);
      if (bytes > CLIP.bytes) break;
    }
    const [last, before] = [pass.at(-1), pass.at(-2)];
    if (!last) return undefined;
    const length = last.pts + (before ? last.pts - before.pts : 90_000 / STILL.fps);
    for (let n = 1; ; n++) for (const one of pass) yield { ...one, pts: one.pts + n * length };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#first?.release();
    this.#first = undefined;
    this.#encoder.close();
    this.#letterbox?.close();
    await this.#input[Symbol.asyncDispose]();
  }

  async *#still(): AsyncGenerator<EncodedPicture> {
    const picture = this.#take();
    if (!picture) return;
    try {
      for (let n = 0; n < STILL.pictures; n++) yield* await this.#encode(picture, (n * 90_000) / STILL.fps);
    } finally {
      picture.release();
    }
  }

  async *#clip(): AsyncGenerator<EncodedPicture> {
    let start: number | undefined;
    let due = 0;
    for (let picture = this.#take(); picture; picture = await this.#input.next()) {
      try {
        const seconds = this.#input.seconds(picture);
        start ??= seconds;
        const pts = Math.round((seconds - start) * 90_000);
        if (pts >= CLIP.seconds * 90_000) return;
        // As many a second as any player shows; time that does not go on (edit lists) is left out as well.
        if (pts < due) continue;
        due = pts + 90_000 / CLIP.fps - 900;
        yield* await this.#encode(picture, pts);
      } finally {
        picture.release();
      }
    }
  }

  #take(): Picture | undefined {
    const first = this.#first;
    this.#first = undefined;
    return first;
  }

  async #encode(picture: Picture, pts: number): Promise<EncodedPicture[]> {
    const fitted = this.#letterbox ? await this.#letterbox.fit(picture) : picture.retain();
    try {
      return await this.#encoder.encode(fitted, pts);
    } finally {
      fitted.release();
    }
  }
}

async function attempt<T>(path: string, signal: AbortSignal, open: () => Promise<T>): Promise<T> {
  try {
    return await open();
  } catch (error) {
    if (error instanceof NamedError || signal.aborted || !(error instanceof AvError)) throw error;
    throw unreadable(path, 'there is nothing in it that FFmpeg can decode', error);
  }
}
