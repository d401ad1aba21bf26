import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';
import type { RunManager } from '#cameras/runs.ts';
import type { Hub } from '#hub/hub.ts';
import { type Clock, systemClock } from '#util/clock.ts';
import { isBehind, SocketDoor } from './socket-door.ts';

/** At most four hints a second of each kind. */
const HINT_MS = 250;

/**
 * The WebSocket `/api/events`: `{"type":"streams"}`, `{"type":"runs"}` and `{"type":"jobs"}` say that it is worth asking for them again.
 * Hints say nothing else, so that losing or joining some is no fault: what is true is always what the API answers.
 */
export class EventsSocket {
  /** Something about streams changed that the hub does not know of: the state of a source. */
  readonly streamsChanged: () => void;
  /** The state of a job changed, or there are others. */
  readonly jobsChanged: () => void;
  readonly #clock: Clock;
  readonly #door: SocketDoor;
  readonly #clients = new Set<WebSocket>();
  readonly #ignore: readonly (() => void)[];
  readonly #cancel = new Map<string, () => void>();

  constructor(options: {
    readonly hub: Pick<Hub, 'events'>;
    readonly runs: Pick<RunManager, 'events'>;
    readonly clock?: Clock;
  }) {
    const { hub, runs } = options;
    this.#clock = options.clock ?? systemClock;
    this.#door = new SocketDoor(this.#clock);
    const streams = this.#hinter('streams');
    this.streamsChanged = streams;
    this.jobsChanged = this.#hinter('jobs');
    const someRun = this.#hinter('runs');
    this.#ignore = [
      hub.events.on('streamAdded', streams),
      hub.events.on('streamRemoved', streams),
      hub.events.on('streamChanged', streams),
      runs.events.on('runStarted', someRun),
      runs.events.on('runChanged', someRun),
      runs.events.on('runStopped', someRun),
    ];
  }

  /** Takes a WebSocket upgrade. */
  handleUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    this.#door.accept(request, socket, head, (client) => {
      this.#clients.add(client);
      client.on('close', () => this.#clients.delete(client));
    });
  }

  /** Ends all sockets. Idempotent. */
  async close(): Promise<void> {
    for (const ignore of this.#ignore) ignore();
    for (const cancel of this.#cancel.values()) cancel();
    this.#cancel.clear();
    await this.#door.close('The server stops.');
  }

  /** Tells at once when nothing was told lately, else once when the time is over. */
  #hinter(type: 'streams' | 'runs' | 'jobs'): () => void {
    let resting = false;
    let missed = false;
    const tell = () => {
      if (resting) {
        missed = true;
        return;
      }
      const text = JSON.stringify({ type });
      for (const client of this.#clients) if (!isBehind(client)) client.send(text);
      resting = true;
      missed = false;
      const cancel = this.#clock.after(HINT_MS, () => {
        this.#cancel.delete(type);
        resting = false;
        if (missed) tell();
      });
      this.#cancel.set(type, cancel);
    };
    return tell;
  }
}
