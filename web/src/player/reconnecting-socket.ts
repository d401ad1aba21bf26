/** What the owner of a {@link ReconnectingSocket} hears. */
export interface SocketEvents {
  /** A new connection stands; everything said on an older one is void. */
  open(): void;
  text(message: string): void;
  binary(message: ArrayBuffer): void;
  /** The connection is gone; the next attempt starts in `retryMs`. */
  close(code: number, retryMs: number): void;
}

const FIRST_RETRY_MS = 400;
const LONGEST_RETRY_MS = 8_000;
const PING_MS = 4_000;
/** Silence after which a connection counts as dead: a computer that slept, or a network that swallowed it, never says so. */
const SILENCE_MS = 14_000;

/** Milliseconds to wait before attempt `attempt` (0 for the first retry), with jitter of ±25 %. */
export function retryDelay(attempt: number, random: number): number {
  const base = Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 1.7 ** attempt);
  return base * (0.75 + random * 0.5);
}

/**
 * A WebSocket that comes back: after a close, a server restart, a network change or a sleep. Where the
 * other end answers, it pings, so that a dead connection is noticed; any message counts as a sign of life.
 */
export class ReconnectingSocket {
  readonly #url: string;
  readonly #events: SocketEvents;
  readonly #pings: boolean;
  #socket: WebSocket | undefined;
  #attempt = 0;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #ping: ReturnType<typeof setInterval> | undefined;
  #heard = 0;
  #closed = false;

  /** @param pings whether the other end answers `{type:'ping'}`; without, silence means nothing. */
  constructor(url: string, events: SocketEvents, pings = false) {
    this.#url = url;
    this.#events = events;
    this.#pings = pings;
    globalThis.addEventListener('online', this.#now);
    this.#connect();
  }

  /** True where the message was handed to an open connection. */
  send(message: object): boolean {
    if (this.#socket?.readyState !== WebSocket.OPEN) return false;
    this.#socket.send(JSON.stringify(message));
    return true;
  }

  /** Drops the connection and makes a new one at once. */
  restart(): void {
    if (this.#closed) return;
    this.#drop();
    this.#connect();
  }

  /** Ends it for good. */
  close(): void {
    this.#closed = true;
    globalThis.removeEventListener('online', this.#now);
    this.#drop();
  }

  #now = (): void => {
    if (this.#socket?.readyState !== WebSocket.OPEN) this.restart();
  };

  #drop(): void {
    clearTimeout(this.#retry);
    clearInterval(this.#ping);
    const socket = this.#socket;
    this.#socket = undefined;
    socket?.close();
  }

  #connect(): void {
    const socket = new WebSocket(this.#url);
    socket.binaryType = 'arraybuffer';
    this.#socket = socket;
    this.#heard = performance.now();
    if (this.#pings) this.#ping = setInterval(() => this.#watch(), PING_MS);
    socket.onopen = () => {
      if (this.#socket === socket) this.#events.open();
    };
    socket.onmessage = (event: MessageEvent<string | ArrayBuffer>) => {
      if (this.#socket !== socket) return;
      this.#heard = performance.now();
      this.#attempt = 0;
      if (typeof event.data === 'string') this.#events.text(event.data);
      else this.#events.binary(event.data);
    };
    socket.onclose = (event) => {
      if (this.#socket === socket) this.#lost(event.code);
    };
  }

  #watch(): void {
    if (performance.now() - this.#heard > SILENCE_MS) {
      this.#lost(1006);
      return;
    }
    this.send({ type: 'ping', t: Date.now() });
  }

  #lost(code: number): void {
    this.#drop();
    const delay = retryDelay(this.#attempt++, Math.random());
    this.#retry = setTimeout(() => this.#connect(), delay);
    this.#events.close(code, delay);
  }
}
