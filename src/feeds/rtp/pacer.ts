import type { Clock } from '#util/clock.ts';

/** Packets that go out at once: a quarter of what a socket with Linux's default buffer takes (92 of full size). */
const BURST = 24;
/** Packets for each millisecond after that: 93 Mbit/s. A reader that is not scheduled for 10 ms loses nothing. */
const PER_MS = 8;

/** One packet and where it goes. */
export interface PacedPacket {
  readonly bytes: Buffer;
  readonly to: PacketTarget;
}

export interface PacketTarget {
  /** Index of our port, and the port of the other side. */
  readonly from: 0 | 1;
  readonly port: number;
}

export interface PacerOptions<Packet> {
  readonly clock: Clock;
  readonly send: (packet: Packet) => void;
  /** True while the way out takes nothing. */
  readonly isBlocked: () => boolean;
}

/**
 * Spaces the packets to one reader: a keyframe of hundreds of packets at once would overrun the reader's socket buffer
 * before it is scheduled. A token bucket: what a usual picture has goes out at once.
 */
export class Pacer<Packet extends { readonly bytes: Buffer } = PacedPacket> {
  readonly #options: PacerOptions<Packet>;
  #queue: Packet[] = [];
  /** Index of the first packet in the queue that was not sent. */
  #next = 0;
  #backlog = 0;
  #tokens = BURST;
  #filledAt: number;
  #cancelTimer: (() => void) | undefined;
  #drained: () => void = () => {};
  #closed = false;

  constructor(options: PacerOptions<Packet>) {
    this.#options = options;
    this.#filledAt = options.clock.now();
  }

  /** Bytes that wait. */
  get backlog(): number {
    return this.#backlog;
  }

  /** Sets the one callback for when nothing waits any more. */
  onDrain(callback: () => void): void {
    this.#drained = callback;
  }

  push(packet: Packet): void {
    if (this.#closed) return;
    this.#queue.push(packet);
    this.#backlog += packet.bytes.length;
  }

  /** Sends what may go; the rest follows by itself. */
  flush(): void {
    if (this.#cancelTimer || this.#closed) return;
    this.#fill();
    const { send, isBlocked, clock } = this.#options;
    const blocked = isBlocked();
    while (!blocked && this.#tokens >= 1 && this.#next < this.#queue.length) {
      const packet = this.#queue[this.#next++] as Packet;
      this.#tokens--;
      this.#backlog -= packet.bytes.length;
      send(packet);
    }
    if (this.#next >= this.#queue.length) {
      this.#queue = [];
      this.#next = 0;
      return;
    }
    this.#cancelTimer = clock.after(1, () => {
      this.#cancelTimer = undefined;
      this.flush();
      if (this.#queue.length === 0) this.#drained();
    });
  }

  /** Forgets what waits. Idempotent. */
  close(): void {
    this.#closed = true;
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    this.#queue = [];
    this.#next = 0;
    this.#backlog = 0;
  }

  #fill(): void {
    const now = this.#options.clock.now();
    this.#tokens = Math.min(this.#tokens + (now - this.#filledAt) * PER_MS, BURST);
    this.#filledAt = now;
  }
}
