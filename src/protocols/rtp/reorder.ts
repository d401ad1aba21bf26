import type { Clock } from '#util/clock.ts';
import type { RtpPacket } from './packet.ts';

/** How long a packet may wait for one before it, in ms. */
export const DEFAULT_REORDER_MS = 100;

/** Most packets that may wait at once: 100 ms of 30 Mbit/s take about 300. */
const DEFAULT_MAX_HELD = 1024;

/** A packet so far behind is late or came twice; beyond that it may come from a sender that began anew. */
const HISTORY = 1024;

/** A leap further ahead than this is believed only when a second packet agrees (MAX_DROPOUT, RFC 3550 A.1). */
const MAX_DROPOUT = 3000;

/** How near the second packet must be to the first one that leapt. */
const AGREEMENT = 64;

export interface ReorderOptions {
  readonly clock: Clock;
  /**
   * Takes the packets in order of their sequence numbers; where some are missing, they are lost. `now` is when the
   * packet was let go, so it never steps back.
   */
  readonly deliver: (packet: RtpPacket, now: number) => void;
  /** 0: a gap is given up at once. */
  readonly holdMs?: number;
  readonly maxHeld?: number;
}

export interface ReorderCounters {
  /** Packets that had not come when they were given up. */
  lost: number;
  /** Packets that came after they had been given up (and counted as lost), or from before the beginning; left out. */
  late: number;
  /** Packets that had come already. */
  duplicate: number;
  /** Packets that came before one with a lower number. */
  early: number;
}

/**
 * Puts the RTP packets of one track in order of their sequence numbers.
 *
 * While nothing is missing a packet goes through at once. Behind a gap packets wait, bounded in time and in number:
 * none waits longer than `holdMs`, and never more than `maxHeld` of them. A gap that is not filled by then is a loss. A
 * new synchronisation source, and a leap that two packets agree on, begin anew.
 */
export class ReorderBuffer {
  readonly counters: ReorderCounters = { lost: 0, late: 0, duplicate: 0, early: 0 };
  readonly #clock: Clock;
  readonly #deliver: (packet: RtpPacket, now: number) => void;
  readonly #holdMs: number;
  readonly #maxHeld: number;
  /** What waits, by sequence number, in order of arrival. */
  readonly #held = new Map<number, { packet: RtpPacket; at: number }>();
  /** For the last `HISTORY` sequence numbers: 1 where the packet was delivered, 0 where it was given up. */
  readonly #history = new Uint8Array(HISTORY);
  #ssrc: number | undefined;
  /** The source before this one, and until when packets of it are stragglers. */
  #former: { ssrc: number; until: number } | undefined;
  #expected = 0;
  /** A packet that leapt far away and waits for a second one to agree. */
  #leapt: RtpPacket | undefined;
  #cancelTimer: (() => void) | undefined;
  #closed = false;

  constructor(options: ReorderOptions) {
    this.#clock = options.clock;
    this.#deliver = options.deliver;
    this.#holdMs = options.holdMs ?? DEFAULT_REORDER_MS;
    this.#maxHeld = options.maxHeld ?? DEFAULT_MAX_HELD;
  }

  /** Packets that wait. */
  get held(): number {
    return this.#held.size;
  }

  /** The next packet, as it arrived. */
  push(packet: RtpPacket): void {
    if (this.#closed) return;
    const now = this.#clock.now();
    const { ssrc, sequence } = packet;
    if (ssrc !== this.#ssrc) {
      // Stragglers of the source that was replaced do not bring it back.
      const former = this.#former;
      if (former && ssrc === former.ssrc && now < former.until) return void this.counters.late++;
      this.flush();
      this.#former = this.#ssrc === undefined ? undefined : { ssrc: this.#ssrc, until: now + this.#holdMs };
      this.#ssrc = ssrc;
      this.#restart(sequence);
    }
    const ahead = signed(sequence - this.#expected);
    if (ahead >= MAX_DROPOUT || ahead < -HISTORY) this.#leap(packet, now);
    else this.#place(packet, ahead, now);
  }

  /** Hands on all that waits, and gives up what is missing between. */
  flush(): void {
    while (this.#held.size > 0) this.#skip(this.#clock.now());
  }

  /** Forgets what waits. Idempotent. */
  close(): void {
    this.#closed = true;
    this.#held.clear();
    this.#stopTimer();
  }

  #place(packet: RtpPacket, ahead: number, now: number): void {
    const { sequence } = packet;
    this.#leapt = undefined;
    if (ahead < 0) {
      const slot = sequence % HISTORY;
      if (this.#history[slot] === 1) this.counters.duplicate++;
      else {
        this.counters.late++;
        this.#history[slot] = 1;
      }
      return;
    }
    if (ahead === 0) {
      this.#advance(true);
      this.#deliver(packet, now);
      this.#drain(now);
      return;
    }
    if (this.#held.has(sequence)) return void this.counters.duplicate++;
    this.counters.early++;
    this.#held.set(sequence, { packet, at: now });
    while (this.#held.size > this.#maxHeld) this.#skip(now);
    this.#giveUp(now);
  }

  #leap(packet: RtpPacket, now: number): void {
    const first = this.#leapt;
    const { sequence } = packet;
    if (!first || Math.abs(signed(sequence - first.sequence)) > AGREEMENT) {
      this.#leapt = packet;
      return;
    }
    if (sequence === first.sequence) return void this.counters.duplicate++;
    this.flush();
    const lower = signed(sequence - first.sequence) < 0 ? sequence : first.sequence;
    // A step back is a sender that began anew; a leap forward lost what it leapt over.
    this.counters.lost += Math.max(signed(lower - this.#expected), 0);
    this.#restart(lower);
    for (const one of [first, packet].sort((a, b) => signed(a.sequence - b.sequence))) {
      this.#place(one, signed(one.sequence - this.#expected), now);
    }
  }

  #restart(sequence: number): void {
    this.#expected = sequence;
    this.#leapt = undefined;
    // What came before the beginning was not waited for: it is late.
    this.#history.fill(0);
  }

  /** The expected packet was delivered, or is given up. */
  #advance(delivered: boolean): void {
    this.#history[this.#expected % HISTORY] = delivered ? 1 : 0;
    this.#expected = (this.#expected + 1) & 0xffff;
  }

  #drain(now: number): void {
    for (let next = this.#held.get(this.#expected); next; next = this.#held.get(this.#expected)) {
      this.#held.delete(this.#expected);
      this.#advance(true);
      this.#deliver(next.packet, now);
    }
    if (this.#held.size === 0) this.#stopTimer();
  }

  /** Gives up the gap in front of what waits, and hands on what follows it. */
  #skip(now: number): void {
    let gap = 0x10000;
    for (const sequence of this.#held.keys()) gap = Math.min(gap, (sequence - this.#expected) & 0xffff);
    for (let i = 0; i < gap; i++) this.#advance(false);
    this.counters.lost += gap;
    this.#drain(now);
  }

  /** Gives up what has been waited for long enough, and sees that the rest will be. */
  #giveUp(now: number): void {
    let oldest = this.#oldest();
    while (oldest !== undefined && now - oldest >= this.#holdMs) {
      this.#skip(now);
      oldest = this.#oldest();
    }
    if (oldest === undefined || this.#cancelTimer) return;
    this.#cancelTimer = this.#clock.after(oldest + this.#holdMs - now, () => {
      this.#cancelTimer = undefined;
      this.#giveUp(this.#clock.now());
    });
  }

  #stopTimer(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
  }

  /** When the packet that waits longest arrived. */
  #oldest(): number | undefined {
    for (const { at } of this.#held.values()) return at;
    return undefined;
  }
}

/** A difference of sequence numbers as a number from -32768 to 32767. */
function signed(difference: number): number {
  return (difference << 16) >> 16;
}
