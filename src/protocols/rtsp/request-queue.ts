import type { Clock } from '#util/clock.ts';
import type { RtspMessage } from './message.ts';
import { RtspParser } from './parser.ts';
import { REQUEST_MS, RequestDeadline } from './request-deadline.ts';

/** Bytes that may wait behind a request which is still being answered. */
const MAX_WAITING = 512 * 1024;

export interface RequestQueueOptions {
  readonly clock: Clock;
  /** Takes one message; where it returns a promise, the next message waits for it. */
  readonly handle: (message: RtspMessage) => Promise<void> | undefined;
  /** What came is not RTSP; nothing after it can be read. */
  readonly broken: (error: unknown) => void;
  /** The client is too slow, or sends too much. */
  readonly disconnect: (reason: string) => void;
  /** False while media flow in the connection: what is half is mostly a frame of them then. */
  readonly awaitsRequests: () => boolean;
}

/**
 * The messages of one connection, handed on one after the other. What arrives while one is being handled waits, bounded
 * in bytes, and what a client begins it has to finish in time.
 */
export class RequestQueue {
  readonly #options: RequestQueueOptions;
  readonly #parser = new RtspParser();
  readonly #deadline: RequestDeadline;
  #busy = false;
  #closed = false;

  constructor(options: RequestQueueOptions) {
    this.#options = options;
    const late = `The client did not finish a request within ${REQUEST_MS / 1000} s.`;
    this.#deadline = new RequestDeadline(options.clock, () => options.disconnect(late));
    this.#deadline.begin();
  }

  /** Takes received bytes; the buffer is kept. */
  push(bytes: Buffer): void {
    this.#parser.push(bytes);
    this.#run();
  }

  /** Nothing more is handed on. Idempotent. */
  close(): void {
    this.#closed = true;
    this.#deadline.end();
  }

  /** Handles what is there, up to a message that takes time. */
  #run(): void {
    while (!this.#closed && !this.#busy) {
      let message: RtspMessage | undefined;
      try {
        message = this.#parser.next();
      } catch (error) {
        return this.#options.broken(error);
      }
      if (!message) return this.#awaitRest();
      this.#deadline.end();
      this.#handle(message);
    }
    if (!this.#closed && this.#parser.buffered > MAX_WAITING) {
      this.#options.disconnect('The client sent too much while a request was being answered.');
    }
  }

  #handle(message: RtspMessage): void {
    const done = this.#options.handle(message);
    if (!done) return;
    this.#busy = true;
    void done.finally(() => {
      this.#busy = false;
      this.#run();
    });
  }

  /** Half a request must not stay half. */
  #awaitRest(): void {
    if (this.#parser.buffered > 0 && this.#options.awaitsRequests()) this.#deadline.begin();
  }
}
