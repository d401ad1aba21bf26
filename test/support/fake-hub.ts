import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { type WebSocket, WebSocketServer } from 'ws';
import {
  AT_ONCE,
  decodeMessage,
  decodeUnit,
  encodeMessage,
  encodeUnit,
  type FramedUnit,
} from '#link/framing.ts';
import { HeldUnits } from '#link/held-units.ts';
import type { HubToWorker, Task, TaskSpec, WorkerToHub } from '#link/messages.ts';
import { decodePicture, encodePicture } from '#link/picture.ts';
import type { AccessUnit } from '#media/access-unit.ts';
import type { Track } from '#media/track.ts';

type Of<Type extends WorkerToHub['type']> = Extract<WorkerToHub, { type: Type }>;

/** A unit that the worker published, with the time it came (performance.now()). */
export interface PublishedUnit extends FramedUnit {
  readonly at: number;
}

interface Stream {
  tracks: readonly Track[];
  /** Since the last keyframe of the first track. */
  gop: FramedUnit[];
  readonly subscribers: Map<number, Subscriber>;
}

interface Subscriber {
  readonly wanted: (track: Track) => boolean;
  /** Where units wait until they are wanted. */
  readonly held: HeldUnits | undefined;
}

/**
 * A hub of nothing but the link, for tests of a real worker process: it keeps what the worker says and publishes, and
 * gives streams, the worker's own or the test's, to who subscribes.
 */
export class FakeHub implements AsyncDisposable {
  readonly worker: ChildProcess;
  readonly messages: WorkerToHub[] = [];
  readonly units: PublishedUnit[] = [];
  readonly publications: Of<'publish'>[] = [];
  readonly #server: WebSocketServer;
  readonly #streams = new Map<string, Stream>();
  readonly #channels = new Map<number, string>();
  readonly #tasks = new Map<string, Task>();
  readonly #waiters = new Set<() => void>();
  readonly exited: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
  #socket: WebSocket | undefined;
  #epoch = 0;

  private constructor(server: WebSocketServer, worker: ChildProcess) {
    this.#server = server;
    this.worker = worker;
    this.exited = new Promise((resolve) => worker.on('exit', (code, signal) => resolve({ code, signal })));
  }

  static async start(): Promise<FakeHub> {
    const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const entry = fileURLToPath(new URL('../../src/app/worker.ts', import.meta.url));
    const worker = fork(entry, [], {
      env: {
        ...process.env,
        SLUICE_LINK: `ws://127.0.0.1:${port}/?token=t`,
        SLUICE_WORKER: 'w1',
        UV_THREADPOOL_SIZE: '8',
      },
      execArgv: [],
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    const hub = new FakeHub(server, worker);
    server.on('connection', (socket) => {
      hub.#socket = socket;
      socket.on('message', (data: Buffer, binary) =>
        binary ? hub.#unit(data) : hub.#message(data.toString()),
      );
    });
    await hub.find('hello');
    return hub;
  }

  send(message: HubToWorker): void {
    this.#socket?.send(encodeMessage(message));
  }

  /** Starts a task; returns its id. */
  task(spec: TaskSpec, id = `t${this.#epoch + 1}`): string {
    const task = { id, epoch: ++this.#epoch, spec };
    this.#tasks.set(id, task);
    this.send({ type: 'task.start', task });
    return id;
  }

  stop(task: string): void {
    this.send({ type: 'task.stop', task });
  }

  /** The first message of a type (that fits), now or later. */
  async find<Type extends WorkerToHub['type']>(
    type: Type,
    fits: (message: Of<Type>) => boolean = () => true,
    timeoutMs = 20_000,
  ): Promise<Of<Type>> {
    const look = () => this.messages.find((m): m is Of<Type> => m.type === type && fits(m as Of<Type>));
    await this.until(() => look() !== undefined, `a message ${type}`, timeoutMs);
    return look()!;
  }

  state(task: string, state: Of<'task.state'>['state']): Promise<Of<'task.state'>> {
    return this.find('task.state', (message) => message.task === task && message.state === state);
  }

  all<Type extends WorkerToHub['type']>(type: Type): Of<Type>[] {
    return this.messages.filter((message): message is Of<Type> => message.type === type);
  }

  /** Resolves when the condition holds; it is looked at whenever something came. */
  async until(condition: () => boolean, what: string, timeoutMs = 20_000): Promise<void> {
    if (condition()) return;
    await new Promise<void>((resolve, reject) => {
      const look = () => {
        if (!condition()) return;
        this.#waiters.delete(look);
        clearTimeout(timer);
        resolve();
      };
      const timer = setTimeout(() => {
        this.#waiters.delete(look);
        reject(
          new Error(
            `Waited in vain for ${what}; last: ${JSON.stringify(this.messages.slice(-5)).slice(0, 900)}`,
          ),
        );
      }, timeoutMs);
      this.#waiters.add(look);
    });
  }

  /** A stream of the test's own making. */
  open(name: string, tracks: readonly Track[]): { write(unit: AccessUnit): void; end(reason: string): void } {
    const stream: Stream = { tracks, gop: [], subscribers: new Map() };
    this.#streams.set(name, stream);
    return {
      write: (unit) => {
        if (!stream.tracks.includes(unit.track)) {
          stream.tracks = stream.tracks.map((track) => (track.id === unit.track.id ? unit.track : track));
          for (const subscription of stream.subscribers.keys()) {
            this.send({ type: 'tracks', subscription, tracks: stream.tracks });
          }
        }
        this.#fanOut(stream, { ...unit, ...AT_ONCE, channel: 0, trackId: unit.track.id });
      },
      end: (reason) => {
        this.#streams.delete(name);
        for (const subscription of stream.subscribers.keys())
          this.send({ type: 'end', subscription, reason });
      },
    };
  }

  subscribers(name: string): number {
    return this.#streams.get(name)?.subscribers.size ?? 0;
  }

  closeLink(): void {
    this.#socket?.terminate();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.worker.kill('SIGTERM');
    const kill = setTimeout(() => this.worker.kill('SIGKILL'), 3000);
    await this.exited;
    clearTimeout(kill);
    this.#server.close();
  }

  /** The tasks that draw what a run finds. */
  #burnIns(task: string): Task[] {
    const spec = this.#tasks.get(task)?.spec;
    if (spec?.kind !== 'run') return [];
    return [...this.#tasks.values()].filter(
      (other) => other.spec.kind === 'rendition' && other.spec.request.burnIn?.run === spec.run,
    );
  }

  #unit(data: Buffer): void {
    const picture = decodePicture(data);
    if (picture) {
      for (const { id, epoch } of this.#burnIns(picture.task))
        this.#socket?.send(encodePicture({ ...picture, task: id, epoch }));
      return;
    }
    const unit = decodeUnit(data);
    if (!unit) throw new Error('The worker sent a broken access unit.');
    this.units.push({ ...unit, at: performance.now() });
    const stream = this.#streams.get(this.#channels.get(unit.channel) ?? '');
    if (stream) this.#fanOut(stream, unit);
    for (const look of [...this.#waiters]) look();
  }

  #fanOut(stream: Stream, unit: FramedUnit): void {
    if (unit.keyframe && unit.trackId === stream.tracks[0]?.id) stream.gop = [];
    stream.gop.push(unit);
    for (const [channel, subscriber] of stream.subscribers) this.#give(stream, channel, subscriber, unit);
  }

  #give(stream: Stream, channel: number, { wanted, held }: Subscriber, unit: FramedUnit): void {
    const track = stream.tracks.find(({ id }) => id === unit.trackId);
    if (!track || !wanted(track)) return;
    const { pts, dts, keyframe, ntp, payload } = unit;
    const whole = { track, pts, dts, keyframe, ntp, payload };
    const released = held ? held.push(whole, performance.now()) : [{ unit: whole, passage: AT_ONCE }];
    for (const { unit: free, passage } of released) this.#socket?.send(encodeUnit(channel, free, passage));
  }

  #message(text: string): void {
    const message = decodeMessage<WorkerToHub>(text);
    if (!message) throw new Error(`The worker sent a broken message: ${text}`);
    this.messages.push(message);
    if (message.type === 'task.result') {
      for (const { id, epoch } of this.#burnIns(message.task))
        this.send({ type: 'task.result', task: id, epoch, result: message.result });
    }
    if (message.type === 'publish') {
      this.publications.push(message);
      this.#channels.set(message.publication, message.rendition ? '' : message.stream);
      if (!message.rendition) {
        const stream = this.#streams.get(message.stream) ?? { tracks: [], gop: [], subscribers: new Map() };
        stream.tracks = message.tracks;
        this.#streams.set(message.stream, stream);
      }
    }
    if (message.type === 'subscribe') {
      const { subscription, tracks: ids, kind } = message;
      const stream = this.#streams.get(message.stream);
      if (!stream)
        return this.send({ type: 'end', subscription, reason: `There is no stream "${message.stream}".` });
      const subscriber = {
        wanted: ({ id, format }: Track) => (!ids || ids.includes(id)) && (!kind || format.kind === kind),
        held: message.held && new HeldUnits(),
      };
      stream.subscribers.set(subscription, subscriber);
      this.send({ type: 'tracks', subscription, tracks: stream.tracks.filter(subscriber.wanted) });
      for (const unit of stream.gop) this.#give(stream, subscription, subscriber, unit);
    }
    if (message.type === 'want') {
      for (const { subscribers } of this.#streams.values()) {
        const released = subscribers.get(message.subscription)?.held?.want(message, performance.now()) ?? [];
        for (const { unit, passage } of released) {
          this.#socket?.send(encodeUnit(message.subscription, unit, passage));
        }
      }
    }
    if (message.type === 'unsubscribe') {
      for (const stream of this.#streams.values()) stream.subscribers.delete(message.subscription);
    }
    for (const look of [...this.#waiters]) look();
  }
}
