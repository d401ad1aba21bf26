export type MediaTransport = 'tcp' | 'udp';

/** Readers choose the names of pattern streams, so there is no end of names. */
const MOST = 4096;

/**
 * How the media of each source came last, for sources that leave the choice to us: what worked is tried first the next
 * time, also after the source was closed because nobody wanted it. The streams that worked last are remembered.
 */
export class WorkingTransports {
  readonly #known = new Map<string, { readonly url: string; readonly transport: MediaTransport }>();

  /** Undefined where nothing is known of this source, or its stream had another one. */
  get(stream: string, url: string): MediaTransport | undefined {
    const known = this.#known.get(stream);
    return known?.url === url ? known.transport : undefined;
  }

  worked(stream: string, url: string, transport: MediaTransport): void {
    this.#known.delete(stream);
    this.#known.set(stream, { url, transport });
    const [oldest] = this.#known.keys();
    if (this.#known.size > MOST && oldest !== undefined) this.#known.delete(oldest);
  }

  forget(stream: string): void {
    this.#known.delete(stream);
  }
}
