import type { Rendition } from '#hub/rendition.ts';
import { isAudio, isVideo, type Track } from '#media/track.ts';
import { NamedError } from '#util/named-error.ts';
import type { ForwardConnection, ForwardEvents, ForwardTarget, OpenForward } from '../contract.ts';

/** Sound that has to be made AAC may take so long to be there; without it the picture goes alone. */
const RENDITION_MS = 5000;

export interface MuxerEvents {
  /** The other side has taken the connection. */
  onUp(): void;
  /** Bytes that were sent so far. */
  onBytes(total: number): void;
  /** It is over; called once, and not after `stop`. */
  onEnd(end: { readonly reason: string; readonly code?: string }): void;
}

/**
 * Begins FFmpeg's part in a worker: these tracks of the stream as MPEG-TS to the address. Injected, because this room
 * knows no workers. Calls nothing before it has returned.
 */
export type StartMuxer = (
  request: {
    readonly stream: string;
    readonly url: string;
    readonly tracks: readonly number[];
    /** As in {@link ForwardTarget}. */
    readonly restricted: boolean;
  },
  events: MuxerEvents,
) => { stop(): Promise<void> };

/** Sends streams as MPEG-TS to `srt://` and `udp://` addresses. */
export function mpegTsForward(start: StartMuxer): OpenForward {
  return (target, events) => new MpegTsForward(target, events, start);
}

class MpegTsForward implements ForwardConnection {
  readonly #target: ForwardTarget;
  readonly #events: ForwardEvents;
  readonly #start: StartMuxer;
  readonly #forget: () => void;
  #rendition: Rendition | undefined;
  #task: { stop(): Promise<void> } | undefined;
  #bytes = 0;
  #over = false;

  constructor(target: ForwardTarget, events: ForwardEvents, start: StartMuxer) {
    this.#target = target;
    this.#events = events;
    this.#start = start;
    // Its header has named the tracks; others need another one.
    this.#forget = target.stream.events.on('replaced', () =>
      this.#end({ reason: 'The stream has other tracks now.' }),
    );
    void this.#open();
  }

  get bytesSent(): number {
    return this.#bytes;
  }

  async close(): Promise<void> {
    this.#leave();
    await this.#task?.stop();
  }

  async #open(): Promise<void> {
    const { stream, url, restricted = false } = this.#target;
    try {
      const tracks = await this.#choose(stream.tracks);
      if (this.#over) return;
      this.#task = this.#start(
        { stream: stream.name, url, tracks, restricted },
        {
          onUp: () => this.#over || this.#events.onUp(),
          onBytes: (total) => {
            this.#bytes = total;
          },
          onEnd: (end) => this.#end(end),
        },
      );
    } catch (error) {
      if (!(error instanceof NamedError)) throw error;
      this.#end({ reason: error.message, code: error.code });
    }
  }

  /**
   * The first video and the first audio that MPEG-TS carries; G.711 is made AAC, once for all who want it so. Without a
   * picture that there is nothing is sent: it would be found out too late.
   */
  async #choose(tracks: readonly Track[]): Promise<number[]> {
    const video = tracks.find((track) => isVideo(track) && ['h264', 'h265'].includes(track.format.codec));
    const audio = tracks.find(isAudio);
    const ids = video ? [video.id] : [];
    if (!video && tracks.some(isVideo)) throw this.#unsupported('no picture', tracks);
    if (audio && ['aac', 'ac3', 'mp3', 'opus'].includes(audio.format.codec)) ids.push(audio.id);
    else if (audio) {
      const made = await this.#convert(audio);
      if (made) ids.push(made.id);
    }
    if (ids.length > 0) return ids;
    throw this.#unsupported('no track', tracks);
  }

  #unsupported(what: string, tracks: readonly Track[]): NamedError {
    const codecs = tracks.map(({ format }) => format.codec).join(', ');
    return new NamedError(
      'CODEC_UNSUPPORTED',
      `The stream "${this.#target.stream.name}" (${codecs}) has ${what} that MPEG-TS can carry.`,
      415,
    );
  }

  async #convert(audio: Track): Promise<Track | undefined> {
    const { stream, clock } = this.#target;
    const rendition = stream.acquireRendition(audio.id, 'aac');
    this.#rendition = rendition;
    return new Promise((resolve) => {
      const none = () => resolve(undefined);
      const cancel = clock.after(RENDITION_MS, none);
      rendition.track.then(resolve, none).finally(cancel);
      void rendition.trouble.then(none);
    });
  }

  #end(end: { readonly reason: string; readonly code?: string }): void {
    if (this.#over) return;
    this.#leave();
    this.#events.onEnd(end);
  }

  #leave(): void {
    this.#over = true;
    this.#forget();
    this.#rendition?.release();
    this.#rendition = undefined;
  }
}
