import type { Rendition } from '#hub/rendition.ts';
import { type FileKind, OUTPUTS, type OutputKind, refusal, requestFor } from '#media/outputs.ts';
import { isAudio, isVideo, type Track } from '#media/track.ts';
import { NamedError } from '#util/named-error.ts';
import type { ForwardConnection, ForwardEvents, ForwardTarget } from './contract.ts';

/** Sound that has to be made something else may take so long to be there; without it the picture goes alone. */
const RENDITION_MS = 5000;

export interface MuxerEvents {
  /** The other side has taken the connection, or the file is begun. */
  onUp(): void;
  /** Since the beginning: bytes that were sent, and pictures that were left out because it was too slow. */
  onCount(bytes: number, dropped: number): void;
  /** It is over; called once, and not after `stop`. */
  onEnd(end: { readonly reason: string; readonly code?: string }): void;
}

/** Where packed media go: an address (`guard`: as a restricted {@link ForwardTarget}), or a file. */
export type PackedTarget =
  | { readonly url: string; readonly guard?: true }
  | { readonly container: FileKind; readonly path: string; readonly overwrite?: true };

/**
 * Begins FFmpeg's part in a worker: these tracks of the stream packed and written. Injected, because this room knows no
 * workers. Calls nothing before it has returned.
 */
export type StartMuxer = (
  request: { readonly stream: string; readonly tracks: readonly number[]; readonly to: PackedTarget },
  events: MuxerEvents,
) => { stop(): Promise<void> };

export interface MuxedForwardOptions {
  readonly start: StartMuxer;
  /** What can be carried. */
  readonly kind: OutputKind;
  /** Where it goes, decided anew for each attempt. Rejects with a NamedError. */
  readonly to: () => Promise<PackedTarget>;
  /** Codes of errors that the next attempt would meet again. */
  readonly final?: readonly string[];
}

/** One attempt to write a stream that FFmpeg packs. */
export class MuxedForward implements ForwardConnection {
  readonly #target: ForwardTarget;
  readonly #events: ForwardEvents;
  readonly #options: MuxedForwardOptions;
  readonly #forget: () => void;
  #rendition: Rendition | undefined;
  #task: { stop(): Promise<void> } | undefined;
  #bytes = 0;
  #dropped = 0;
  #over = false;

  constructor(target: ForwardTarget, events: ForwardEvents, options: MuxedForwardOptions) {
    this.#target = target;
    this.#events = events;
    this.#options = options;
    // Its header has named the tracks; others need another one.
    this.#forget = target.stream.events.on('replaced', () =>
      this.#end({ reason: 'The stream has other tracks now.' }),
    );
    void this.#open();
  }

  get bytesSent(): number {
    return this.#bytes;
  }

  get dropped(): number {
    return this.#dropped;
  }

  async close(): Promise<void> {
    this.#leave();
    await this.#task?.stop();
    this.#release();
  }

  async #open(): Promise<void> {
    const { stream } = this.#target;
    try {
      const tracks = await this.#choose(stream.tracks);
      const to = await this.#options.to();
      if (this.#over) return;
      this.#task = this.#options.start(
        { stream: stream.name, tracks, to },
        {
          onUp: () => this.#over || this.#events.onUp(),
          onCount: (bytes, dropped) => {
            this.#bytes = bytes;
            this.#dropped = dropped;
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
   * The first video and the first audio that can be carried; other sound is made so, once for all who want it so. Without
   * a picture that there is nothing is sent, unless only sound is carried: it would be found out too late.
   */
  async #choose(tracks: readonly Track[]): Promise<number[]> {
    const { kind } = this.#options;
    const pictures = OUTPUTS[kind].video.length > 0 ? tracks.filter(isVideo) : [];
    const video = pictures.find((track) => refusal(kind, track) === undefined);
    const ids = video ? [video.id] : [];
    if (!video && pictures[0]) throw this.#unsupported(tracks, refusal(kind, pictures[0]));
    const audio = tracks.find(isAudio);
    if (audio && refusal(kind, audio) === undefined) ids.push(audio.id);
    else if (audio && OUTPUTS[kind].audio.length > 0) {
      const made = await this.#convert(audio);
      if (made) ids.push(made.id);
    }
    if (ids.length > 0) return ids;
    throw this.#unsupported(tracks, tracks[0] && refusal(kind, tracks[0]));
  }

  #unsupported(tracks: readonly Track[], why = 'There is neither picture nor sound.'): NamedError {
    const codecs = tracks.map(({ format }) => format.codec).join(', ');
    const sentence = `The stream "${this.#target.stream.name}" (${codecs}) does not fit: ${why}`;
    return new NamedError('CODEC_UNSUPPORTED', sentence, 415);
  }

  async #convert(audio: Track): Promise<Track | undefined> {
    const { stream, clock } = this.#target;
    const request = requestFor(this.#options.kind, audio);
    if (!request) return audio;
    const rendition = stream.acquireRendition(audio.id, request);
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
    this.#release();
    const final = end.code !== undefined && this.#options.final?.includes(end.code) === true;
    this.#events.onEnd({ ...end, ...(final && { final }) });
  }

  #leave(): void {
    this.#over = true;
    this.#forget();
  }

  /** Only when nothing is written any more: what waits to be written may have been made. */
  #release(): void {
    this.#rendition?.release();
    this.#rendition = undefined;
  }
}
