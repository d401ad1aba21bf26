import { randomUUID } from 'node:crypto';
import type { Bus } from '#bus/bus.ts';
import type { RunInfo } from '#cameras/contract.ts';
import type { RunManager } from '#cameras/runs.ts';
import { rtpTimestamp } from '#media/timestamps.ts';
import { type Clock, systemClock } from '#util/clock.ts';
import { NamedError } from '#util/named-error.ts';
import { internalError } from './answers.ts';
import type { ResultsMessage, ViewerRun } from './results-protocol.ts';
import { parseViewerMessage } from './viewer-messages.ts';

/** Counters of runs are told at most so often. */
const STATISTICS_MS = 1000;

/** The way to one viewer, over whatever it came. */
export interface ViewerLine {
  /** Sends one message, JSON in UTF-8; the bytes are shared. */
  send(text: Buffer): void;
  /** So much waits for it that it is spared what it can do without. */
  readonly isBehind: boolean;
}

/** A viewer that is there. */
export interface ViewerSeat {
  /** It said something. */
  receive(data: Buffer, binary: boolean): void;
  /** It is gone, and what it asked for ends. Idempotent. */
  leave(): void;
}

export interface ResultsViewersOptions {
  readonly runs: Pick<
    RunManager,
    'acquire' | 'release' | 'leasesOf' | 'list' | 'viewerJoined' | 'viewerLeft' | 'events'
  >;
  /** Results come on `results/<stream>`. */
  readonly bus: Pick<Bus<{ results: { readonly pts: number } }>, 'subscribe'>;
  readonly clock?: Clock;
}

interface Viewer {
  readonly id: string;
  readonly line: ViewerLine;
  /** The list of runs that it was told last. */
  told: Buffer | undefined;
}

/**
 * Who looks at the results of streams, over the WebSocket `/<stream>/results` or a data channel of WebRTC: JSON text
 * messages.
 *
 * The server says `hello` with the viewer's id; `runs` with the runs on the stream when one of them changed, counters
 * at most once a second; `result` for each result; `error` when something that was asked for cannot be. The viewer
 * says `run` and `release`. While it is there it keeps the algorithms configured for the stream at work, and what it
 * asked for itself; when it leaves, all of that ends.
 */
export class ResultsViewers {
  readonly #options: ResultsViewersOptions;
  readonly #clock: Clock;
  readonly #streams = new Map<string, Audience>();
  readonly #ignore: readonly (() => void)[];

  constructor(options: ResultsViewersOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    const changed = ({ stream }: RunInfo) => this.#streams.get(stream)?.tellRuns();
    const { events } = options.runs;
    this.#ignore = [
      events.on('runStarted', changed),
      events.on('runChanged', changed),
      events.on('runStopped', changed),
    ];
  }

  /** Somebody looks at the results of a stream, which need not be there yet. */
  join(stream: string, line: ViewerLine): ViewerSeat {
    const viewer: Viewer = { id: randomUUID(), line, told: undefined };
    const audience = this.#audienceOf(stream);
    line.send(textOf({ type: 'hello', viewer: viewer.id }));
    try {
      this.#options.runs.viewerJoined(stream, viewer.id);
    } catch (error) {
      sendError(line, error);
    }
    audience.join(viewer);
    let isThere = true;
    return {
      receive: (data, binary) => {
        if (isThere) this.#answer(viewer, stream, data, binary);
      },
      leave: () => {
        if (!isThere) return;
        isThere = false;
        audience.leave(viewer);
        this.#options.runs.viewerLeft(viewer.id);
      },
    };
  }

  /** No run is told of any more. Idempotent. */
  close(): void {
    for (const ignore of this.#ignore) ignore();
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
      sendError(viewer.line, error);
    }
  }
}

interface AudienceOptions {
  readonly clock: Clock;
  readonly subscribe: (listener: (result: { readonly pts: number }) => void) => () => void;
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
    if (viewer.line.isBehind) return;
    const text = textOf({ type: 'runs', runs: this.#options.runs(viewer.id) });
    if (viewer.told?.equals(text)) return;
    viewer.told = text;
    viewer.line.send(text);
  }

  #tellResult(result: { readonly pts: number }): void {
    // Made once for all viewers.
    const text = textOf({ type: 'result', result, rtpTimestamp: rtpTimestamp(result.pts) });
    for (const { line } of this.#viewers) if (!line.isBehind) line.send(text);
  }

  #tick(): void {
    this.#cancelTick = this.#options.clock.after(STATISTICS_MS, () => {
      this.tellRuns();
      this.#tick();
    });
  }
}

function sendError(line: ViewerLine, error: unknown): void {
  const named = error instanceof NamedError ? error : internalError();
  // A bug in what one viewer asked for must not end the server for all of them.
  if (named !== error) process.emitWarning(error instanceof Error ? error : String(error));
  line.send(textOf({ type: 'error', code: named.code, message: named.message }));
}

function textOf(message: ResultsMessage<unknown>): Buffer {
  return Buffer.from(JSON.stringify(message));
}
