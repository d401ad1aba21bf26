import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';
import type { Clock } from '#util/clock.ts';
import { RateLimit } from '#util/rate-limit.ts';
import { SocketWatch } from '#util/socket-watch.ts';

/** Messages and pings of one client in a second, many times what a page says. */
const MAX_MESSAGES = 50;
/** More than this waiting for one client: what can be left out is left out. */
const BACKLOG_BYTES = 1 << 20;

/** The WebSockets of one kind: who is still there, and how they all end. */
export class SocketDoor {
  readonly #server = new WebSocketServer({ noServer: true, maxPayload: 64 << 10, perMessageDeflate: false });
  readonly #clock: Clock;
  readonly #watch: SocketWatch;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#watch = new SocketWatch(clock);
  }

  /** Makes a WebSocket of an upgrade request; who may come in was asked before. */
  accept(request: IncomingMessage, socket: Duplex, head: Buffer, opened: (client: WebSocket) => void): void {
    this.#server.handleUpgrade(request, socket, head, (client) => {
      this.#watch.add(client);
      const limit = new RateLimit(MAX_MESSAGES);
      const heard = () => {
        if (!limit.take(this.#clock.now())) this.#turnOut(client);
      };
      client.on('message', heard);
      client.on('ping', heard);
      // What follows an error is always a close.
      client.on('error', () => {});
      opened(client);
    });
  }

  /** Ends all WebSockets; resolves when they are closed. Idempotent. */
  async close(reason: string): Promise<void> {
    this.#watch.stop();
    const { clients } = this.#watch;
    const closed = clients.map((client) => new Promise((resolve) => client.once('close', resolve)));
    for (const client of clients) client.close(1001, reason.slice(0, 120));
    // A client that does not answer the close must not keep the server from ending.
    const cancel = this.#clock.after(1000, () => {
      for (const client of clients) client.terminate();
    });
    await Promise.all(closed);
    cancel();
    this.#server.close();
  }

  /** Nobody has so much to say: it hears the reason, and is gone a moment later if it goes on. */
  #turnOut(client: WebSocket): void {
    if (client.readyState !== client.OPEN) return;
    client.close(1008, `More than ${MAX_MESSAGES} messages in a second.`);
    // What it says meanwhile must not be read.
    client.pause();
    const cancel = this.#clock.after(1000, () => client.terminate());
    client.on('close', cancel);
  }
}

/** True when so much waits for the client that it must be spared what it can do without. */
export function isBehind(client: WebSocket): boolean {
  return client.bufferedAmount > BACKLOG_BYTES;
}
