import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';
import type { Bus } from '#bus/bus.ts';
import type { RunInfo } from '#cameras/contract.ts';
import type { RunManager } from '#cameras/runs.ts';
import { type Clock, systemClock } from '#util/clock.ts';
import { NamedError } from '#util/named-error.ts';
import { internalError } from './answers.ts';
import type { ResultsMessage, ViewerRun } from './results-protocol.ts';
import { isBehind, SocketDoor } from './socket-door.ts';
import { parseViewerMessage } from './viewer-messages.ts';

/** Counters of runs are told at most so often. */
const STATISTICS_MS = 1000;

interface ResultsSocketOptions {
  readonly runs: Pick<
    RunManager,
    'acquire' | 'release' | 'leasesOf' | 'list' | 'viewerJoined' | 'viewerLeft' | 'events'
  >;
  /** Results come on `results/<stream>`. */
  readonly bus: Pick<Bus<{ results: unknown }>, 'subscribe'>;
  readonly clock?: Clock;
}

interface Viewer {
  readonly id: string;
  readonly client: WebSocket;
  /** The list of runs that it was told last. */
  told: string;
}

/**
 * The WebSocket `/<stream>/results`: JSON text messages.
 *
 * The server says `hello` with the viewer's id; `runs` with the runs on the stream when one of them changed, counters
 * at most once a second; `result` for each result; `error` when something that was asked for cannot be. The client
 * says `run` and `release`. A viewer that is there keeps the algorithms configured for the stream at work, and what
 * it asked for itself; when its socket closes, all of that ends.
 */
export class ResultsSocket {
  readonly #options: ResultsSocketOptions;
  readonly #clock: Clock;
  readonly #door: SocketDoor;
  readonly #streams = new Map<string, Audience>();
  readonly #ignore: readonly (() => void)[];

  constructor(options: ResultsSocketOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#door = new SocketDoor(this.#clock);
    const changed = ({ stream }: RunInfo) => this.#streams.get(stream)?.tellRuns();
    const { events } = options.runs;
    this.#ignore = [
      events.on('runStarted', changed),
      events.on('runChanged', changed),
      events.on('runStopped', changed),
    ];
  }

  /** Takes a WebSocket upgrade for the results of a stream, which need not be there yet. */
  handleUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer, stream: string): void {
    this.#door.accept(request, socket, head, (client) => this.#welcome(client, stream));
  }

  /** Ends all sockets, and with them their viewers' leases. Idempotent. */
  async close(): Promise<void> {
    for (const ignore of this.#ignore) ignore();
    await this.#door.close('The server stops.');
  }

  #welcome(client: WebSocket, stream: string): void {
    const viewer: Viewer = { id: randomUUID(), client, told: '' };
    const audience = this.#audienceOf(stream);
    client.on('close', () => {
      audience.leave(viewer);
      this.#options.runs.viewerLeft(viewer.id);
    });
    client.on('message', (data: Buffer, binary) => this.#answer(viewer, stream, data, binary));
    client.send(textOf({ type: 'hello', viewer: viewer.id }));
    try {
      this.#options.runs.viewerJoined(stream, viewer.id);
    } catch (error) {
      sendError(client, error);
    }
    audience.join(viewer);
  }

  #audienceOf(stream: string): Audience {
    const known = this.#streams.get(stream);
    if (known) return known;
    const audience = new Audience({
      clock: this.#clock,
      subscribe: (listener) => this.#options.bus.subscribe(`results/${stream}`, listener),
      runs: (viewer) => this.#runsFor(viewer, stream),
      onEmpty: () => this.#streams.delete(stream),
    });
    this.#streams.set(stream, audience);
    return audience;
  }

  #runsFor(viewer: string, stream: string): ViewerRun[] {
    const own = new Set(this.#options.runs.leasesOf(viewer).map((lease) => lease.run));
    return this.#options.runs
      .list()
      .filter((run) => run.stream === stream)
      .map(({ id, algorithm, title, state, reason, code, leases, parameters, statistics }) => ({
        ...{ id, stream, algorithm, title, state, parameters, statistics },
        ...(reason === undefined ? {} : { reason }),
        ...(code === undefined ? {} : { code }),
        leases: leases.length,
        mine: own.has(id),
      }));
  }

  #answer(viewer: Viewer, stream: string, data: Buffer, binary: boolean): void {
    try {
      const message = parseViewerMessage(data, binary);
      const { runs } = this.#options;
      if (message.type === 'run') {
        const { algorithm, parameters } = message;
        const holder = { kind: 'viewer', id: viewer.id, reason: `watches ${stream}` } as const;
        runs.acquire({ stream, algorithm, parameters, holder });
        return;
      }
      const held = new Set(
        runs
          .list()
          .filter((run) => run.stream === stream && run.algorithm === message.algorithm)
          .map((run) => run.id),
      );
      for (const lease of runs.leasesOf(viewer.id)) if (held.has(lease.run)) runs.release(lease.id);
    } catch (error) {
      sendError(viewer.client, error);
    }
  }
}

interface AudienceOptions {
  readonly clock: Clock;
  readonly subscribe: (listener: (result: unknown) => void) => () => void;
  /** The runs of the stream as this viewer sees them. */
  readonly runs: (viewer: string) => ViewerRun[];
  readonly onEmpty: () => void;
}

/** The viewers of one stream. Lives from the first to the last of them. */
class Audience {
  readonly #viewers = new Set<Viewer>();
  readonly #options: AudienceOptions;
  #unsubscribe = () => {};
  #cancelTick = () => {};

  constructor(options: AudienceOptions) {
    this.#options = options;
  }

  join(viewer: Viewer): void {
    this.#viewers.add(viewer);
    this.#tellRuns(viewer);
    if (this.#viewers.size > 1) return;
    this.#unsubscribe = this.#options.subscribe((result) => this.#tellResult(result));
    this.#tick();
  }

  leave(viewer: Viewer): void {
    if (!this.#viewers.delete(viewer) || this.#viewers.size > 0) return;
    this.#unsubscribe();
    this.#cancelTick();
    this.#options.onEmpty();
  }

  tellRuns(): void {
    for (const viewer of this.#viewers) this.#tellRuns(viewer);
  }

  #tellRuns(viewer: Viewer): void {
    // Told again with the next tick: what counts is the latest.
    if (isBehind(viewer.client)) return;
    const text = textOf({ type: 'runs', runs: this.#options.runs(viewer.id) });
    if (text === viewer.told) return;
    viewer.told = text;
    viewer.client.send(text);
  }

  #tellResult(result: unknown): void {
    // Made once for all viewers; `binary: false` sends the bytes as text.
    const bytes = Buffer.from(textOf({ type: 'result', result }));
    for (const { client } of this.#viewers) if (!isBehind(client)) client.send(bytes, { binary: false });
  }

  #tick(): void {
    this.#cancelTick = this.#options.clock.after(STATISTICS_MS, () => {
      this.tellRuns();
      this.#tick();
    });
  }
}

function sendError(client: WebSocket, error: unknown): void {
  const named = error instanceof NamedError ? error : internalError();
  // A bug in what one viewer asked for must not end the server for all of them.
  if (named !== error) process.emitWarning(error instanceof Error ? error : String(error));
  client.send(textOf({ type: 'error', code: named.code, message: named.message }));
}

function textOf(message: ResultsMessage<unknown>): string {
  return JSON.stringify(message);
}
