import type { Socket } from 'node:net';
import type { WebSocket } from 'ws';
import type { Feed } from '#hub/feed.ts';
import type { Hub } from '#hub/hub.ts';
import { Reader } from '#hub/reader.ts';
import type { AccessUnit } from '#media/access-unit.ts';
import type { Track } from '#media/track.ts';
import type { Emitter } from '#util/emitter.ts';
import { messageOf, NamedError } from '#util/named-error.ts';
import type { Accepts, LinkServerEvents } from './events.ts';
import { decodeUnit, encodeMessage, sameTrack } from './framing.ts';
import { LinkFeedWriter } from './from-stream.ts';
import type { HubToWorker, WorkerToHub } from './messages.ts';
import { decodePicture, encodePicture, type FramedPicture } from './picture.ts';
import { parseWorkerMessage } from './worker-messages.ts';

type Subscribe = Extract<WorkerToHub, { type: 'subscribe' }>;
type Publish = Extract<WorkerToHub, { type: 'publish' }>;

/** What a worker publishes: a stream of its own, or the rendition of another stream's track. */
interface Outlet {
  readonly tracks: Map<number, Track>;
  write(unit: AccessUnit): void;
  changed(track: Track): void;
  close(reason: string): void;
}

/** Within this time a worker must have said hello. */
const HELLO_MS = 5000;
const PING_MS = 500;
/** While more waits on the socket, pictures for tasks are let go. */
const PICTURE_BACKLOG = 8 << 20;

/** One worker's connection. */
export class LinkConnection {
  readonly #ws: WebSocket;
  readonly #socket: Socket;
  readonly #hub: Hub;
  readonly #events: Emitter<LinkServerEvents>;
  readonly #accepts: Accepts;
  readonly #subscriptions = new Map<
    number,
    { reader: Reader; feed: Feed; writer: LinkFeedWriter; forget: () => void }
  >();
  /** Per subscription: what to call when the shared socket has room again. */
  readonly #drained = new Map<number, () => void>();
  /** Subscriptions to streams that are being fetched. */
  readonly #fetching = new Map<number, AbortController>();
  readonly #outlets = new Map<number, Outlet>();
  readonly #pings: NodeJS.Timeout;
  readonly #hello: NodeJS.Timeout;
  #worker = '';
  #sequence = 0;

  constructor(ws: WebSocket, socket: Socket, hub: Hub, events: Emitter<LinkServerEvents>, accepts: Accepts) {
    this.#ws = ws;
    this.#socket = socket;
    this.#hub = hub;
    this.#events = events;
    this.#accepts = accepts;
    socket.on('drain', () => {
      for (const drained of this.#drained.values()) drained();
    });
    ws.on('message', (data: Buffer, binary) =>
      binary ? this.#binary(data) : this.#message(data.toString()),
    );
    ws.on('close', () => this.#closed('The worker is gone.'));
    ws.on('error', () => ws.terminate());
    this.#hello = setTimeout(() => !this.#worker && ws.terminate(), HELLO_MS);
    this.#hello.unref();
    this.#pings = setInterval(() => this.send({ type: 'ping', sequence: this.#sequence++ }), PING_MS);
    this.#pings.unref();
  }

  send(message: HubToWorker): void {
    if (this.#ws.readyState === this.#ws.OPEN) this.#ws.send(encodeMessage(message));
  }

  sendPicture(picture: FramedPicture): void {
    if (this.#ws.readyState !== this.#ws.OPEN || this.#socket.writableLength > PICTURE_BACKLOG) return;
    this.#ws.send(encodePicture(picture));
  }

  close(reason: string): void {
    this.#ws.close(1001, reason);
    setTimeout(() => this.#ws.terminate(), 1000).unref();
  }

  #binary(data: Buffer): void {
    const picture = decodePicture(data);
    if (!picture) this.#unit(data);
    else if (this.#worker) this.#events.emit('picture', this.#worker, picture);
  }

  #unit(data: Buffer): void {
    const framed = decodeUnit(data);
    const outlet = framed && this.#outlets.get(framed.channel);
    const track = framed && outlet?.tracks.get(framed.trackId);
    if (!framed || !outlet || !track) return;
    const { pts, dts, keyframe, ntp, payload } = framed;
    outlet.write({ track, pts, dts, keyframe, ntp, payload });
  }

  #message(text: string): void {
    const message = parseWorkerMessage(text);
    if (!message || (!this.#worker && message.type !== 'hello')) return this.#ws.terminate();
    switch (message.type) {
      case 'hello':
        this.#worker = message.worker;
        return this.#events.emit('hello', message.worker, message.pid, this);
      case 'pong':
        return this.#events.emit('heartbeat', this.#worker, message.rssBytes);
      case 'log':
        return this.#events.emit('log', this.#worker, message.level, message.message);
      case 'task.state': {
        const { task, epoch, state, reason, code, report } = message;
        return this.#events.emit('taskState', {
          worker: this.#worker,
          task,
          epoch,
          state,
          reason,
          code,
          report,
        });
      }
      case 'task.result':
        return this.#events.emit('result', this.#worker, message.task, message.epoch, message.result);
      case 'task.statistics':
        return this.#events.emit('statistics', this.#worker, message.task, message.epoch, message.statistics);
      case 'subscribe':
        return this.#subscribe(message);
      case 'unsubscribe':
        return this.#unsubscribe(message.subscription);
      case 'want': {
        const subscription = this.#subscriptions.get(message.subscription);
        for (const chunk of subscription?.writer.want(message) ?? []) subscription?.reader.offer(chunk);
        return;
      }
      case 'publish':
        return this.#publish(message);
      case 'unpublish': {
        const outlet = this.#outlets.get(message.publication);
        this.#outlets.delete(message.publication);
        return outlet?.close(message.reason);
      }
    }
  }

  #subscribe(message: Subscribe): void {
    const { subscription: channel, stream: name, tracks: ids, kind, held = false } = message;
    const end = (reason: string) => this.send({ type: 'end', subscription: channel, reason });
    const stream = this.#hub.get(name);
    if (!stream && this.#hub.onDemand.has(name)) return this.#fetch(message, end);
    if (!stream) return end(`There is no stream "${name}".`);
    const fitting = [...stream.tracks, ...(ids ? stream.renditions.tracks : [])].filter(
      ({ id, format }) => (!ids || ids.includes(id)) && (!kind || format.kind === kind),
    );
    // What is wanted next is said of one track.
    const tracks = held ? fitting.slice(0, 1) : fitting;
    const socket = this.#socket;
    const reader = new Reader({
      id: `${this.#worker}/${channel}`,
      door: 'link',
      remote: this.#worker,
      // The socket is shared by all subscriptions of this worker: the end of one is a message.
      transport: {
        write: (bytes) => {
          if (socket.writable) socket.write(bytes);
        },
        get backlog() {
          return socket.writableLength;
        },
        onDrain: (callback) => this.#drained.set(channel, callback),
        close: end,
      },
      clock: this.#hub.options.clock,
      limits: this.#hub.options.readerLimits,
      onClose: () => this.#unsubscribe(channel),
    });
    const { clock } = this.#hub.options;
    const writer = new LinkFeedWriter(channel, tracks, held, () => clock.now());
    socket.write(writer.announcement());
    const wanted = tracks.map((track) => track.id);
    // The channel is part of the bytes, so every subscription is a feed of its own.
    const feed = stream.feed(`link:${this.#worker}:${channel}`, wanted, () => writer);
    // Other tracks than before: chosen again, announced again.
    const forget = stream.events.on('replaced', () => {
      this.#unsubscribe(channel);
      this.#subscribe(message);
    });
    this.#subscriptions.set(channel, { reader, feed, writer, forget });
    feed.attach(reader);
  }

  /** Subscribes when the stream, which comes on demand, is there. */
  #fetch(message: Subscribe, end: (reason: string) => void): void {
    const { subscription: channel, stream: name } = message;
    const abort = new AbortController();
    this.#fetching.set(channel, abort);
    // False once the worker has given the subscription up.
    const wanted = () => this.#fetching.get(channel) === abort && this.#fetching.delete(channel);
    this.#hub.wanted(name, abort.signal).then(
      () => wanted() && this.#subscribe(message),
      (error) => wanted() && end(messageOf(error)),
    );
  }

  #unsubscribe(channel: number): void {
    this.#fetching.get(channel)?.abort();
    this.#fetching.delete(channel);
    const subscription = this.#subscriptions.get(channel);
    this.#subscriptions.delete(channel);
    this.#drained.delete(channel);
    subscription?.forget();
    subscription?.feed.detach(subscription.reader);
  }

  #publish(message: Publish): void {
    const end = (reason: string) => {
      this.#outlets.delete(message.publication);
      this.send({ type: 'unpublished', publication: message.publication, reason });
    };
    if (!this.#accepts(this.#worker, message.task, message.epoch)) return end('The task is over.');
    const known = this.#outlets.get(message.publication);
    if (known) {
      for (const track of message.tracks) {
        const before = known.tracks.get(track.id);
        if (before && sameTrack(before, track)) continue;
        known.tracks.set(track.id, track);
        known.changed(track);
      }
      return;
    }
    try {
      const outlet = message.rendition
        ? this.#renditionOutlet(message, message.rendition.of)
        : this.#streamOutlet(message, end);
      this.#outlets.set(message.publication, outlet);
    } catch (error) {
      end(messageOf(error));
    }
  }

  #streamOutlet(message: Publish, end: (reason: string) => void): Outlet {
    const publisher = { id: `${message.task}#${message.epoch}`, door: 'source', remote: this.#worker };
    const { fills, standIns } = this.#hub;
    const where = message.part === 'fill' ? fills : message.part === 'standby' ? standIns : this.#hub;
    const publication = where.publish(message.stream, publisher, message.tracks, { onClose: end });
    return {
      tracks: new Map(message.tracks.map((track) => [track.id, track])),
      write: (unit) => publication.write(unit),
      changed: (track) => publication.changeTrack(track),
      close: (reason) => publication.close(reason),
    };
  }

  #renditionOutlet(message: Publish, of: number): Outlet {
    const renditions = this.#hub.get(message.stream)?.renditions;
    if (!renditions) throw new NamedError('STREAM_UNKNOWN', `There is no stream "${message.stream}".`, 404);
    const { publication } = message;
    const keyframe = () => this.send({ type: 'keyframe', publication });
    for (const track of message.tracks) renditions.announce(of, track, keyframe);
    return {
      tracks: new Map(message.tracks.map((track) => [track.id, track])),
      write: (unit) => renditions.write(unit),
      changed: (track) => renditions.announce(of, track, keyframe),
      close: () => {},
    };
  }

  #closed(reason: string): void {
    clearInterval(this.#pings);
    clearTimeout(this.#hello);
    for (const channel of [...this.#subscriptions.keys(), ...this.#fetching.keys()])
      this.#unsubscribe(channel);
    for (const outlet of this.#outlets.values()) outlet.close(reason);
    this.#outlets.clear();
    if (this.#worker) this.#events.emit('gone', this.#worker, reason);
    this.#worker = '';
  }
}
