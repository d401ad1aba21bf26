import { WebSocket } from 'ws';
import type { AccessUnit } from '#media/access-unit.ts';
import type { Track } from '#media/track.ts';
import { Emitter } from '#util/emitter.ts';
import { decodeMessage, decodeUnit, encodeMessage, encodeUnit, type Passage, sameTrack } from './framing.ts';
import type { HubToWorker, Selection, Task, TaskInput, TaskSpec, Want, WorkerToHub } from './messages.ts';
import { decodePicture, encodePicture, type FramedPicture } from './picture.ts';

export type { Passage } from './framing.ts';
export type {
  ConversionStatistics,
  FileTarget,
  FrameWish,
  ProbeReport,
  SinkStatistics,
  Task,
  TaskInput,
  TaskSpec,
  TaskState,
  Want,
} from './messages.ts';

/** How many bytes a publication may have waiting on the socket before it should pause (see {@link LinkClient.drained}). */
const HIGH_WATER = 4 << 20;

export interface Subscription {
  readonly channel: number;
  /** Of a subscription whose units are held: says what is wanted next, instead of what was wanted before. */
  want(want: Want): void;
  close(): void;
}

export interface LinkPublication {
  /** Sends one access unit; a unit with a changed track announces the change first. */
  write(unit: AccessUnit): void;
  /** Ends the publication; the hub tells readers the reason. */
  close(reason: string): void;
}

export interface SubscriptionHandlers {
  /** First the tracks, again before the first unit of a changed format. */
  tracks?(tracks: readonly Track[]): void;
  unit(unit: AccessUnit, passage: Passage): void;
  end(reason: string): void;
}

interface LinkClientEvents {
  start(task: Task): void;
  stop(task: string): void;
  amend(task: string, spec: TaskSpec): void;
  /** For the attempt `epoch` of a task. */
  input(task: string, epoch: number, input: TaskInput): void;
  /** The link is gone: the worker has no reason left to live. */
  closed(reason: string): void;
}

/** The worker's end of the link: one WebSocket to the hub, tasks in, access units and results both ways. */
export class LinkClient {
  readonly events = new Emitter<LinkClientEvents>();
  readonly #socket: WebSocket;
  readonly #subscriptions = new Map<number, { handlers: SubscriptionHandlers; tracks: Map<number, Track> }>();
  readonly #publications = new Map<number, { ended(reason: string): void; keyframe(): void }>();
  #nextChannel = 1;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.on('message', (data: Buffer, binary) =>
      binary ? this.#binary(data) : this.#message(data.toString()),
    );
    socket.on('close', () => this.#closed('The connection to the hub is closed.'));
    socket.on('error', (error) => this.#closed(error.message));
  }

  /** Connects and says hello; rejects when the hub cannot be reached or refuses the token. */
  static async connect(url: string, worker: string): Promise<LinkClient> {
    const socket = new WebSocket(url, {
      perMessageDeflate: false,
      maxPayload: 64 << 20,
      // Clients must mask (RFC 6455 §5.3), against caches between them and the server. Here is none, and a mask of
      // zeros spares the work on every byte.
      generateMask: (mask) => mask.fill(0),
    });
    // The handlers stand before the first message can come: the hub may answer in the packet of the handshake.
    const client = new LinkClient(socket);
    await new Promise<void>((resolve, reject) => {
      socket.once('open', resolve);
      socket.once('error', reject);
    });
    client.send({ type: 'hello', worker, pid: process.pid });
    return client;
  }

  send(message: WorkerToHub): void {
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(encodeMessage(message));
  }

  /** Asks for the access units of a stream, from its last keyframe on; `held`: only when they are wanted. */
  subscribe(
    stream: string,
    handlers: SubscriptionHandlers,
    selection: Selection & { readonly held?: true } = {},
  ): Subscription {
    const channel = this.#nextChannel++;
    this.#subscriptions.set(channel, { handlers, tracks: new Map() });
    this.send({ type: 'subscribe', subscription: channel, stream, ...selection });
    return {
      channel,
      want: (want) => {
        if (this.#subscriptions.has(channel)) this.send({ type: 'want', subscription: channel, ...want });
      },
      close: () => {
        if (this.#subscriptions.delete(channel)) this.send({ type: 'unsubscribe', subscription: channel });
      },
    };
  }

  /**
   * Begins to publish on behalf of a task, the part of the stream that its spec names; `ended` is called once when the hub
   * ends it.
   * @param rendition the track that these are made from, and what to do when a reader needs a keyframe
   */
  publish(
    task: Task,
    stream: string,
    tracks: readonly Track[],
    ended: (reason: string) => void,
    rendition?: { readonly of: number; readonly onKeyframeRequest?: () => void },
  ): LinkPublication {
    const publication = this.#nextChannel++;
    const part = 'part' in task.spec ? task.spec.part : undefined;
    const current = new Map(tracks.map((track) => [track.id, track]));
    const announce = () =>
      this.send({
        type: 'publish',
        publication,
        task: task.id,
        epoch: task.epoch,
        stream,
        tracks: [...current.values()],
        ...(rendition ? { rendition: { of: rendition.of } } : {}),
        ...(part ? { part } : {}),
      });
    this.#publications.set(publication, { ended, keyframe: () => rendition?.onKeyframeRequest?.() });
    announce();
    return {
      write: (unit) => {
        if (!this.#publications.has(publication)) return;
        if (current.get(unit.track.id) !== unit.track) {
          current.set(unit.track.id, unit.track);
          announce();
        }
        this.#socket.send(encodeUnit(publication, unit));
      },
      close: (reason) => {
        if (this.#publications.delete(publication)) this.send({ type: 'unpublish', publication, reason });
      },
    };
  }

  /** Sends a picture that a task made; of those that nobody asked for one by one, none while the hub is behind. */
  sendPicture(picture: FramedPicture): void {
    if (picture.byAlgorithm && this.#socket.bufferedAmount > HIGH_WATER) return;
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(encodePicture(picture));
  }

  /** Resolves when the socket has room again; a source that can wait awaits it between units. */
  async drained(): Promise<void> {
    while (this.#socket.bufferedAmount > HIGH_WATER && this.#socket.readyState === WebSocket.OPEN) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  close(): void {
    this.#socket.close();
  }

  #binary(data: Buffer): void {
    const picture = decodePicture(data);
    if (picture) this.events.emit('input', picture.task, picture.epoch, { kind: 'picture', picture });
    else this.#unit(data);
  }

  #unit(data: Buffer): void {
    const framed = decodeUnit(data);
    const subscription = framed && this.#subscriptions.get(framed.channel);
    const track = framed && subscription?.tracks.get(framed.trackId);
    // Units of a subscription that was just closed are still under way: no fault.
    if (!framed || !subscription || !track) return;
    const { pts, dts, keyframe, ntp, payload } = framed;
    subscription.handlers.unit({ track, pts, dts, keyframe, ntp, payload }, framed);
  }

  #message(text: string): void {
    const message = decodeMessage<HubToWorker>(text);
    switch (message?.type) {
      case 'task.start':
        return this.events.emit('start', message.task);
      case 'task.stop':
        return this.events.emit('stop', message.task);
      case 'task.amend':
        return this.events.emit('amend', message.task, message.spec);
      case 'task.result': {
        const { task, epoch, result } = message;
        return this.events.emit('input', task, epoch, { kind: 'result', result });
      }
      case 'tracks': {
        const subscription = this.#subscriptions.get(message.subscription);
        if (!subscription) return;
        // Identity is what tells a change (see Track), so a track that is the same stays the same object.
        const tracks = message.tracks.map((track) => {
          const known = subscription.tracks.get(track.id);
          return known && sameTrack(known, track) ? known : track;
        });
        subscription.tracks = new Map(tracks.map((track) => [track.id, track]));
        return subscription.handlers.tracks?.(tracks);
      }
      case 'end': {
        const subscription = this.#subscriptions.get(message.subscription);
        this.#subscriptions.delete(message.subscription);
        return subscription?.handlers.end(message.reason);
      }
      case 'unpublished': {
        const publication = this.#publications.get(message.publication);
        this.#publications.delete(message.publication);
        return publication?.ended(message.reason);
      }
      case 'keyframe':
        return this.#publications.get(message.publication)?.keyframe();
      case 'ping':
        return this.send({ type: 'pong', sequence: message.sequence, rssBytes: process.memoryUsage.rss() });
      case undefined:
        return;
    }
  }

  #closed(reason: string): void {
    const subscriptions = [...this.#subscriptions.values()];
    const publications = [...this.#publications.values()];
    this.#subscriptions.clear();
    this.#publications.clear();
    for (const { handlers } of subscriptions) handlers.end(reason);
    for (const { ended } of publications) ended(reason);
    this.events.emit('closed', reason);
  }
}
