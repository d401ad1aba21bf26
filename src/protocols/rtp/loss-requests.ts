/** A packet may only be out of order: so long it is waited for, ms. */
const GRACE_MS = 10;
/** A larger hole is not filled packet by packet; a keyframe is cheaper. */
const MAX_GAP = 256;
/** More than this missing at a time is a way that carries nothing, or a sender that counts as it likes. */
const MAX_MISSING = 1024;
const MAX_TRIES = 8;
/** Shortest time between two requests for one packet, ms. */
const MIN_RETRY_MS = 40;
/** What a packet takes that is sent again, until it is known. */
const FIRST_GUESS_MS = 100;

interface Missing {
  readonly since: number;
  askedAt: number;
  tries: number;
}

/**
 * Which packets of one track to ask for again (generic NACK, RFC 4585 section 6.2.1), and when: after a moment in which
 * they may come late, and again when they should have been there. Without I/O; times in ms.
 */
export class LossRequests {
  readonly #patienceMs: number;
  readonly #missing = new Map<number, Missing>();
  /** With its cycles. */
  #highest: number | undefined;
  #roundTripMs = FIRST_GUESS_MS;

  /** @param patienceMs after which a packet is of no use any more */
  constructor(patienceMs: number) {
    this.#patienceMs = patienceMs;
  }

  /** True while packets are missing that are still waited for. */
  get pending(): boolean {
    return this.#missing.size > 0;
  }

  /** What a packet took that was asked for, from the request on. */
  get roundTripMs(): number {
    return this.#roundTripMs;
  }

  /** A packet came; `sequence` has 16 bits. */
  packet(sequence: number, now: number): void {
    const highest = this.#highest;
    if (highest === undefined) {
      this.#highest = sequence;
      return;
    }
    const ahead = ((sequence - highest) << 16) >> 16;
    if (ahead > MAX_GAP || ahead < -0x4000) {
      // Too large a hole, or a sender that began anew.
      this.#missing.clear();
      this.#highest = highest + ahead;
    } else if (ahead > 0) {
      if (this.#missing.size + ahead > MAX_MISSING) this.#missing.clear();
      for (let n = highest + 1; n < highest + ahead; n++) {
        this.#missing.set(n, { since: now, askedAt: 0, tries: 0 });
      }
      this.#highest = highest + ahead;
    } else {
      this.#arrived(highest + ahead, now);
    }
  }

  /** The packets to ask for now, 16 bits each. Those that nobody waits for any more are forgotten. */
  due(now: number): number[] {
    const asked: number[] = [];
    const retryMs = Math.max(MIN_RETRY_MS, this.#roundTripMs * 1.5);
    for (const [sequence, one] of this.#missing) {
      if (now - one.since > this.#patienceMs || one.tries >= MAX_TRIES) {
        this.#missing.delete(sequence);
        continue;
      }
      const waited = one.tries === 0 ? now - one.since >= GRACE_MS : now - one.askedAt >= retryMs;
      if (!waited || asked.length >= MAX_GAP) continue;
      one.tries++;
      one.askedAt = now;
      asked.push(sequence & 0xffff);
    }
    return asked;
  }

  /** Another source begins. */
  reset(): void {
    this.#missing.clear();
    this.#highest = undefined;
  }

  #arrived(sequence: number, now: number): void {
    const one = this.#missing.get(sequence);
    if (!one) return;
    this.#missing.delete(sequence);
    // After a second request it is not known which one is answered.
    if (one.tries === 1) this.#roundTripMs += (now - one.askedAt - this.#roundTripMs) / 4;
  }
}
