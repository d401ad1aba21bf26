import type { Socket } from 'node:net';
import type { WebSocket } from 'ws';
import type { Clock } from './clock.ts';

/** A client that says nothing at all for so long, not even the answer to a ping, is gone. */
const SILENCE_MS = 45_000;
const PING_MS = 15_000;

interface Watched {
  readonly socket: Socket | undefined;
  heardAt: number;
  /** Bytes that the system has taken for it. */
  taken: number;
}

/**
 * Finds WebSockets whose other side vanished without a goodbye. TCP's own probes do not: while bytes are under way that
 * nobody acknowledges, there are none, and TCP repeats them for a quarter of an hour.
 */
export class SocketWatch {
  readonly #clock: Clock;
  readonly #watched = new Map<WebSocket, Watched>();
  #cancel = () => {};

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The WebSockets that are open. */
  get clients(): readonly WebSocket[] {
    return [...this.#watched.keys()];
  }

  /** @param socket the TCP socket of one that may be far behind: while what waits there moves on, it is alive */
  add(client: WebSocket, socket?: Socket): void {
    const watched: Watched = { socket, heardAt: this.#clock.now(), taken: 0 };
    const heard = () => {
      watched.heardAt = this.#clock.now();
    };
    for (const event of ['message', 'ping', 'pong'] as const) client.on(event, heard);
    client.on('close', () => {
      this.#watched.delete(client);
      if (this.#watched.size === 0) this.#cancel();
    });
    this.#watched.set(client, watched);
    if (this.#watched.size === 1) this.#lookLater();
  }

  /** Looks at nobody any more; who is open stays open. */
  stop(): void {
    this.#cancel();
  }

  #lookLater(): void {
    this.#cancel = this.#clock.after(PING_MS, () => {
      for (const [client, watched] of this.#watched) {
        if (movesOn(watched)) watched.heardAt = this.#clock.now();
        if (this.#clock.now() - watched.heardAt > SILENCE_MS) client.terminate();
        else client.ping();
      }
      this.#lookLater();
    });
  }
}

/** The system has room for more only where the other side acknowledged something, so this is a sign of life. */
function movesOn(watched: Watched): boolean {
  const { socket, taken } = watched;
  if (!socket) return false;
  watched.taken = socket.bytesWritten - socket.writableLength;
  return socket.writableLength > 0 && watched.taken !== taken;
}
