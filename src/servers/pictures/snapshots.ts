import type { Stream } from '#hub/stream.ts';
import type { JpegPicture } from '#media/jpeg-picture.ts';
import type { Clock } from '#util/clock.ts';
import { NamedError } from '#util/named-error.ts';
import type { PicturesStarter } from './contract.ts';

/** So long is a keyframe waited for: cameras with one every ten seconds are many. */
const PATIENCE_MS = 15_000;
/** What cannot be had by trying again. */
const FINAL_CODES: ReadonlySet<string | undefined> = new Set(['PICTURES_UNAVAILABLE']);

/** The pictures of one stream: the last one of each width, and those that are being made. */
interface Album {
  readonly made: Map<string, JpegPicture>;
  readonly making: Map<string, Promise<JpegPicture>>;
}

/**
 * Pictures of the latest keyframe, each made once however many ask for it: all who come while it is made wait for the
 * same one, and all who come until the next keyframe get it from here.
 */
export class Snapshots {
  readonly #start: PicturesStarter;
  readonly #clock: Clock;
  /** Goes with the stream: one that comes back under the same name begins anew. */
  readonly #albums = new WeakMap<Stream, Album>();
  readonly #stops = new Set<(reason: string) => void>();

  constructor(start: PicturesStarter, clock: Clock) {
    this.#start = start;
    this.#clock = clock;
  }

  /**
   * @param width pixels; undefined: as wide as the video
   * @throws NamedError PICTURES_UNAVAILABLE, PICTURES_FAILED
   */
  get(stream: Stream, width: number | undefined): Promise<JpegPicture> {
    const album = this.#albums.get(stream) ?? { made: new Map(), making: new Map() };
    this.#albums.set(stream, album);
    const key = String(width);
    const making = album.making.get(key);
    if (making) return making;
    const made = album.made.get(key);
    if (made && made.pts === stream.lastKeyframePts) return Promise.resolve(made);
    const promise = this.#make(stream, width).finally(() => album.making.delete(key));
    album.making.set(key, promise);
    promise.then(
      (picture) => album.made.set(key, picture),
      () => {},
    );
    return promise;
  }

  /** Whoever waits learns the reason. */
  close(reason: string): void {
    for (const stop of [...this.#stops]) stop(reason);
  }

  #make(stream: Stream, width: number | undefined): Promise<JpegPicture> {
    const { promise, resolve, reject } = Promise.withResolvers<JpegPicture>();
    let trouble = 'No keyframe has come.';
    const fail = (code: string, sentence: string, status: number) =>
      reject(new NamedError(code, `There is no picture of "${stream.name}": ${sentence}`, status));
    const stopped = (reason: string) => fail('PICTURES_FAILED', reason, 503);
    this.#stops.add(stopped);
    const forget = stream.events.on('ended', (reason) => stopped(`the stream has ended. ${reason}`));
    const cancel = this.#clock.after(PATIENCE_MS, () =>
      fail('PICTURES_FAILED', `${trouble} It was waited for ${PATIENCE_MS / 1000} s; try again.`, 503),
    );
    const stop = this.#start(
      { stream: stream.name, ...(width === undefined ? {} : { width }) },
      {
        picture: resolve,
        trouble: (reason, { code, retried }) => {
          trouble = reason;
          if (FINAL_CODES.has(code)) fail('PICTURES_UNAVAILABLE', reason, 415);
          else if (!retried) stopped(reason);
        },
      },
    );
    return promise.finally(() => {
      stop();
      cancel();
      forget();
      this.#stops.delete(stopped);
    });
  }
}
