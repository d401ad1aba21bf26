import { RtmpConnection } from '#clients/rtmp/connection.ts';
import { FlvTagType } from '#containers/flv/write.ts';
import { FlvWriter, type TagFraming } from '#containers/flv/writer.ts';
import { rtmpFraming } from '#feeds/flv/rtmp-framing.ts';
import { selectFlvTracks } from '#feeds/flv/tracks.ts';
import type { HubOptions } from '#hub/hub.ts';
import { writeAmf0 } from '#util/amf0.ts';
import { NamedError } from '#util/named-error.ts';
import type { ForwardConnection, ForwardEvents, ForwardTarget, OpenForward } from '../contract.ts';
import { ForwardReader } from '../forward-reader.ts';

export interface RtmpForwardOptions {
  /** Says how far the other server may fall behind, and how long it may take nothing; asked anew at each attempt. */
  readonly hub: { readonly options: Pick<HubOptions, 'readerLimits'> };
}

/**
 * Publishes streams at RTMP servers, `rtmp://` and `rtmps://`. What is sent are the bytes of a feed, which forwards of
 * one stream share.
 */
export function rtmpForward(options: RtmpForwardOptions): OpenForward {
  return (target, events) => new RtmpForward(target, events, options);
}

class RtmpForward implements ForwardConnection {
  readonly #target: ForwardTarget;
  readonly #events: ForwardEvents;
  readonly #hub: RtmpForwardOptions['hub'];
  readonly #connection: RtmpConnection;
  readonly #listeners: (() => void)[];
  /** Ids of the tracks that are sent; empty until the server takes the stream. */
  #tracks: readonly number[] = [];
  #reader: ForwardReader | undefined;
  #over = false;

  /** @throws NamedError RTMP_ADDRESS_INVALID, SOURCE_FORBIDDEN */
  constructor(target: ForwardTarget, events: ForwardEvents, options: RtmpForwardOptions) {
    const { url, clock, trust, restricted: guarded, stream } = target;
    this.#target = target;
    this.#events = events;
    this.#hub = options.hub;
    this.#connection = new RtmpConnection(
      url,
      {
        started: (messageStream) => this.#begin(messageStream),
        failed: ({ message, code }) => this.#end(message, code),
      },
      { purpose: 'publish', clock, trust, guarded },
    );
    this.#listeners = [
      stream.events.on('tracks', () => this.#compare()),
      stream.events.on('ended', (reason) => this.#end(reason)),
    ];
  }

  get bytesSent(): number {
    return this.#reader?.counters.bytes ?? 0;
  }

  get reader(): ForwardReader | undefined {
    return this.#reader;
  }

  async close(reason: string): Promise<void> {
    this.#leave(reason);
    await this.#connection.close();
  }

  /** The server takes what is published: from here on it gets the feed. */
  #begin(messageStream: number): void {
    if (this.#over) return;
    try {
      this.#join(messageStream);
    } catch (error) {
      if (!(error instanceof NamedError)) throw error;
      this.#end(error.message, error.code);
    }
  }

  /** @throws NamedError CODEC_UNSUPPORTED, STREAM_GONE */
  #join(messageStream: number): void {
    const { stream } = this.#target;
    const tracks = selectFlvTracks(stream);
    this.#tracks = tracks.map(({ id }) => id);
    const key = `rtmp-publish:${messageStream}:${this.#tracks.join()}`;
    const said = { name: () => stream.clockOrigin.clockName, frame: rtmpFraming(messageStream) };
    const writer = () => new FlvWriter(tracks, publishFraming(messageStream), said);
    const feed = stream.feed(key, this.#tracks, writer);
    this.#reader = new ForwardReader({
      target: this.#target,
      feed,
      remote: this.#connection.remote,
      out: this.#connection,
      limits: this.#hub.options.readerLimits,
      onClose: (reason) => this.#end(reason),
    });
    this.#reader.join();
    this.#events.onUp();
  }

  /** With other tracks (of another publisher, or once sound has shown its parameters) the connection begins anew. */
  #compare(): void {
    if (this.#tracks.length === 0) return;
    const { stream } = this.#target;
    try {
      const now = selectFlvTracks(stream).map(({ id }) => id);
      if (now.join() !== this.#tracks.join()) this.#end('The stream has other tracks now.');
    } catch (error) {
      if (!(error instanceof NamedError)) throw error;
      this.#end(error.message, error.code);
    }
  }

  /** It is over, and not by `close`. */
  #end(reason: string, code?: string): void {
    if (this.#over) return;
    this.#leave(reason);
    void this.#connection.close();
    this.#events.onEnd({ reason, ...(code !== undefined && { code }) });
  }

  #leave(reason: string): void {
    if (this.#over) return;
    this.#over = true;
    for (const off of this.#listeners) off();
    this.#reader?.leave(reason);
  }
}

/** As encoders send it: the description goes to the server's `@setDataFrame`, which keeps it for readers to come. */
function publishFraming(messageStream: number): TagFraming {
  const frame = rtmpFraming(messageStream);
  const setDataFrame = writeAmf0('@setDataFrame');
  return (type, timestamp, body) =>
    frame(type, timestamp, type === FlvTagType.script ? [setDataFrame, ...body] : body);
}
