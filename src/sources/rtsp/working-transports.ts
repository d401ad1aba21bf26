export type MediaTransport = 'tcp' | 'udp';

/**
 * How the media of each source came last, for sources that leave the choice to us: what worked is tried first the next
 * time, also after the source was closed because nobody wanted it. One entry for each stream that has a source.
 */
export class WorkingTransports {
  readonly #known = new Map<string, { readonly url: string; readonly transport: MediaTransport }>();

  /** Undefined where nothing is known of this source, or its stream had another one. */
  get(stream: string, url: string): MediaTransport | undefined {
    const known = this.#known.get(stream);
    return known?.url === url ? known.transport : undefined;
  }

  worked(stream: string, url: string, transport: MediaTransport): void {
    this.#known.set(stream, { url, transport });
  }

  forget(stream: string): void {
    this.#known.delete(stream);
  }
}
