import { randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';
import { FlvIngest } from '#containers/flv/ingest.ts';
import { FOURCCS } from '#containers/flv/tags.ts';
import { FlvWriter } from '#containers/flv/writer.ts';
import { rtmpFraming } from '#feeds/flv/rtmp-framing.ts';
import { selectFlvTracks } from '#feeds/flv/tracks.ts';
import type { Access, Action } from '#hub/access.ts';
import type { Feed } from '#hub/feed.ts';
import { credentialsOf } from '#hub/http-credentials.ts';
import type { Hub } from '#hub/hub.ts';
import { parsePublishedName, parseStreamName } from '#hub/name.ts';
import { Reader } from '#hub/reader.ts';
import { MESSAGE_STREAM, RtmpServerSession } from '#protocols/rtmp/server-session.ts';
import type { StreamRequest } from '#protocols/rtmp/stream-address.ts';
import { messageOf } from '#util/named-error.ts';
import type { RtmpLog } from './log.ts';

/** How long a connection may take until it publishes or plays. */
const BEGIN_MS = 10_000;
/** A publisher from which nothing came for so long is gone. */
const SILENCE_MS = 30_000;
/** How long a connection that is being closed may take to hand over what was sent before. */
const LINGER_MS = 1000;

export interface RtmpConnectionOptions {
  readonly socket: Socket;
  readonly id: string;
  readonly hub: Hub;
  readonly access: Access;
  readonly log: RtmpLog;
  readonly onClose: () => void;
}

/** One TCP connection at the RTMP door: its socket, its session, and the one stream that it publishes or reads. */
export class RtmpConnection {
  readonly #options: RtmpConnectionOptions;
  readonly #socket: Socket;
  readonly #session: RtmpServerSession;
  readonly #address: string;
  readonly #remote: string;
  /** Ends what waits for a stream when the connection is gone. */
  readonly #gone = new AbortController();
  #publishing: FlvIngest | undefined;
  #reading: { readonly feed: Feed; readonly reader: Reader; readonly name: string } | undefined;
  #drained = () => {};
  #lastSign: number;
  #cancelWatch = () => {};
  #cancelLinger: (() => void) | undefined;

  constructor(options: RtmpConnectionOptions) {
    const { socket, log, id } = options;
    this.#options = options;
    this.#socket = socket;
    this.#address = (socket.remoteAddress ?? '').replace(/^::ffff:(?=\d+\.)/i, '');
    this.#remote = `${this.#address}:${socket.remotePort ?? 0}`;
    this.#lastSign = this.#clock.now();
    this.#session = new RtmpServerSession({
      send: (bytes) => this.#write(bytes),
      publish: (request) => this.#publish(request),
      play: (request) => this.#play(request),
      media: (message) => this.#publishing?.receive(message),
      stop: (reason) => this.#release(reason),
      close: (reason) => this.#end(reason),
      hold: (held) => void (held ? socket.pause() : socket.resume()),
      random: randomBytes,
      fourCcs: FOURCCS,
    });
    let why = 'The connection was closed by the client.';
    socket.on('data', (bytes: Buffer) => {
      this.#lastSign = this.#clock.now();
      this.#session.receive(bytes);
    });
    socket.on('drain', () => this.#drained());
    socket.on('error', (error) => {
      why = `The connection broke: ${error.message}.`;
    });
    socket.on('close', () => {
      this.#cancelLinger?.();
      this.#cancelWatch();
      this.#gone.abort();
      this.#release(why);
      options.onClose();
    });
    this.#watch(BEGIN_MS);
    log.debug(`RTMP ${id}: connection from ${this.#remote}`);
  }

  /** Tells the client why and ends the connection. Idempotent. */
  close(reason: string): void {
    this.#session.end(reason);
  }

  get #clock() {
    return this.#options.hub.options.clock;
  }

  /** @throws NamedError of access */
  async #enter(action: Action, stream: string, { query }: StreamRequest): Promise<void> {
    const { onRevoked } = await this.#options.access.check({
      action,
      stream,
      door: 'rtmp',
      remote: this.#address,
      credentials: credentialsOf({}, query),
    });
    this.#gone.signal.throwIfAborted();
    const leave = onRevoked?.((reason) => this.close(reason));
    if (leave) this.#gone.signal.addEventListener('abort', leave, { once: true });
  }

  async #publish(request: StreamRequest): Promise<void> {
    const { hub, id, log } = this.#options;
    try {
      const name = parsePublishedName(request.name);
      await this.#enter('publish', name, request);
      this.#gone.signal.throwIfAborted();
      const publisher = { id, door: 'rtmp', remote: this.#remote };
      const ingest: FlvIngest = new FlvIngest({
        clock: this.#clock,
        publish: (tracks) =>
          hub.publish(name, publisher, tracks, {
            // Whoever takes over, or a server that stops, ends it.
            onClose: (reason) => this.close(reason),
            clocks: () => ingest.clocks,
          }),
      });
      this.#publishing = ingest;
      log.info(`RTMP ${id}: ${this.#remote} publishes "${name}"`);
    } catch (error) {
      // Most encoders show their users a status and keep the sentence to themselves. Names come from outside.
      log.warn(`RTMP ${id}: ${this.#remote} may not publish. ${messageOf(error)}`.replace(/\p{Cc}+/gu, ' '));
      throw error;
    }
  }

  async #play(request: StreamRequest): Promise<() => void> {
    const { hub, id, log } = this.#options;
    const name = parseStreamName(request.name);
    await this.#enter('read', name, request);
    const stream = await hub.wanted(name, this.#gone.signal);
    this.#gone.signal.throwIfAborted();
    const tracks = selectFlvTracks(stream);
    return () => {
      const ids = tracks.map((track) => track.id);
      const feed = stream.feed(
        `rtmp:${ids.join()}`,
        ids,
        () => new FlvWriter(tracks, rtmpFraming(MESSAGE_STREAM)),
      );
      const reader = this.#reader(feed);
      this.#reading = { feed, reader, name };
      log.info(`RTMP ${id}: ${this.#remote} reads "${name}"`);
      feed.attach(reader);
    };
  }

  #reader(feed: Feed): Reader {
    const socket = this.#socket;
    const reader = new Reader({
      id: this.#options.id,
      door: 'rtmp',
      remote: this.#remote,
      transport: {
        write: (bytes) => this.#write(bytes),
        get backlog() {
          return socket.writableLength;
        },
        onDrain: (callback) => {
          this.#drained = callback;
        },
        close: () => {},
      },
      clock: this.#clock,
      limits: this.#options.hub.options.readerLimits,
      onClose: (reason) => {
        feed.detach(reader);
        this.close(reason);
      },
    });
    return reader;
  }

  /** Lets the stream go. Idempotent. */
  #release(reason: string): void {
    const { log, id } = this.#options;
    const reading = this.#reading;
    const publishing = this.#publishing;
    this.#reading = undefined;
    this.#publishing = undefined;
    if (publishing?.published) log.info(`RTMP ${id}: no longer publishes. ${reason}`);
    publishing?.close(reason);
    if (!reading) return;
    log.info(`RTMP ${id}: no longer reads "${reading.name}". ${reason}`);
    reading.reader.reset();
    reading.feed.detach(reading.reader);
  }

  #end(reason: string): void {
    if (this.#cancelLinger || this.#socket.destroyed) return;
    this.#options.log.debug(`RTMP ${this.#options.id}: closed. ${reason}`.replace(/\p{Cc}+/gu, ' '));
    this.#release(reason);
    this.#cancelLinger = this.#clock.after(LINGER_MS, () => this.#socket.destroy());
    this.#socket.end();
  }

  /** Ends connections that never begin, and publishers that are gone; a reader is watched by its queue. */
  #watch(ms: number): void {
    this.#cancelWatch = this.#clock.after(ms, () => {
      const { state } = this.#session;
      if (state === 'playing' || this.#socket.isPaused()) return this.#watch(SILENCE_MS);
      if (state === 'idle') return this.close('The client asked for no stream in time.');
      const left = this.#lastSign + SILENCE_MS - this.#clock.now();
      if (left > 0) this.#watch(left);
      else this.close(`Nothing came from the publisher for ${SILENCE_MS / 1000} s.`);
    });
  }

  #write(bytes: Buffer): void {
    if (this.#socket.writable) this.#socket.write(bytes);
  }
}
