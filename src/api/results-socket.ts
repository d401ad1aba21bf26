import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { type Clock, systemClock } from '#util/clock.ts';
import type { ResultsViewers } from './results-viewers.ts';
import { isBehind, SocketDoor } from './socket-door.ts';

/** The WebSocket `/<stream>/results`; what is said over it, see {@link ResultsViewers}. */
export class ResultsSocket {
  readonly #viewers: Pick<ResultsViewers, 'join'>;
  readonly #door: SocketDoor;

  constructor(viewers: Pick<ResultsViewers, 'join'>, clock: Clock = systemClock) {
    this.#viewers = viewers;
    this.#door = new SocketDoor(clock);
  }

  /** Takes a WebSocket upgrade for the results of a stream, which need not be there yet. */
  handleUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer, stream: string): void {
    this.#door.accept(request, socket, head, (client) => {
      const seat = this.#viewers.join(stream, {
        // `binary: false` sends the bytes as text.
        send: (text) => client.send(text, { binary: false }),
        get isBehind() {
          return isBehind(client);
        },
      });
      client.on('close', () => seat.leave());
      client.on('message', (data: Buffer, binary) => seat.receive(data, binary));
    });
  }

  /** Ends all sockets, and with them their viewers' leases. Idempotent. */
  async close(): Promise<void> {
    await this.#door.close('The server stops.');
  }
}
