import type { Result } from '#algorithms/contract.ts';
import { parseMessage, type ResultsMessage, type RunInfo } from './protocol.ts';
import { ReconnectingSocket } from './reconnecting-socket.ts';

export interface ResultsSourceEvents {
  /** Connected. @param isBack after the server or the network was away */
  open(isBack: boolean): void;
  runs(runs: readonly RunInfo[]): void;
  result(result: Result): void;
  error(error: { readonly code: string; readonly message: string }): void;
  /** The connection that stood is gone; the next attempt follows by itself. */
  closed(): void;
}

/** Results and runs of one stream, and this viewer's leases on runs; leases are taken again after a reconnect. */
export class ResultsSource {
  readonly #socket: ReconnectingSocket;
  readonly #wanted = new Set<string>();
  #isOpen = false;
  #wasLost = false;

  constructor(url: string, events: ResultsSourceEvents) {
    this.#socket = new ReconnectingSocket(url, {
      open: () => {
        for (const algorithm of this.#wanted) this.#socket.send({ type: 'run', algorithm });
        events.open(this.#wasLost);
        this.#isOpen = true;
        this.#wasLost = false;
      },
      text: (text) => {
        const message = parseMessage<ResultsMessage>(text);
        if (message?.type === 'runs') events.runs(message.runs);
        else if (message?.type === 'result') events.result(message.result);
        else if (message?.type === 'error') events.error({ code: message.code, message: message.message });
      },
      binary: () => undefined,
      close: () => {
        if (!this.#isOpen) return;
        this.#isOpen = false;
        this.#wasLost = true;
        events.closed();
      },
    });
  }

  /** Asks for a run of the algorithm on this stream, for as long as the viewer is here. */
  run(algorithm: string): void {
    this.#wanted.add(algorithm);
    this.#socket.send({ type: 'run', algorithm });
  }

  /** Gives this viewer's lease back. */
  release(algorithm: string): void {
    this.#wanted.delete(algorithm);
    this.#socket.send({ type: 'release', algorithm });
  }

  /** Makes a new connection: the old one is as dead as the media's was. */
  restart(): void {
    this.#socket.restart();
  }

  close(): void {
    this.#socket.close();
  }
}
