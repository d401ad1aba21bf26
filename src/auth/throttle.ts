import { clientNetwork } from '#util/client-network.ts';
import type { Clock } from '#util/clock.ts';

/** Mistakes with one name that anybody may make without waiting. */
const FREE = 3;
const FIRST_MS = 1000;
const LONGEST_MS = 60_000;
/** Mistakes so long ago are forgotten. */
const FORGET_MS = 600_000;
/**
 * Mistakes with whatever names that may come from one address in a row, and the time in which one of them is forgotten.
 * A device with an old password makes nine in its first minute and one in each that follows: six such never get there.
 */
const FREE_OF_ADDRESS = 60;
const LEAK_MS = 10_000;
/** Entries of each table. */
const MAX_ENTRIES = 10_000;

/** Who comes, and what they show. */
export interface Attempt {
  /** IP address. */
  readonly address: string;
  /** What is guessed at: the name of a user, or of a token what stands for it. */
  readonly who: string;
  /** Stands for all that is shown, and is no secret. */
  readonly shown: string;
}

/**
 * Slows down who guesses. After three wrong passwords for one user an address waits with this user: one second, then two,
 * four, up to sixty; the right one makes it good. Others behind the same address (NAT) go on, until 60 wrong ones for
 * whatever users came from there: then it waits as a whole. What was right from there before never waits: who knows it
 * need not guess. Bounded: where too many guess, those who were quiet for longest are forgotten.
 */
export class Throttle {
  readonly #clock: Clock;
  /** By address and user. */
  readonly #failures: Recent<{ readonly count: number; readonly last: number }>;
  /** By address: when the last of its mistakes will be forgotten, were there no more. */
  readonly #emptyAt: Recent<number>;
  /** What was right, by the address where it came from. */
  readonly #proved: Recent<true>;

  constructor(clock: Clock, maxEntries = MAX_ENTRIES) {
    this.#clock = clock;
    this.#failures = new Recent(maxEntries);
    this.#emptyAt = new Recent(maxEntries);
    this.#proved = new Recent(maxEntries);
  }

  /** Entries of the largest table. */
  get size(): number {
    return Math.max(this.#failures.size, this.#emptyAt.size, this.#proved.size);
  }

  /** How long such an attempt is not looked at, in ms; 0: now. */
  waitMs({ address, who, shown }: Attempt): number {
    const from = clientNetwork(address);
    if (this.#proved.has(key(from, shown))) return 0;
    const now = this.#clock.now();
    const ofAddress = (this.#emptyAt.get(from) ?? 0) - (FREE_OF_ADDRESS - 1) * LEAK_MS - now;
    const failures = this.#failures.get(key(from, who));
    if (!failures || failures.count < FREE) return Math.max(0, ofAddress);
    const wait = Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.min(failures.count - FREE, 10));
    return Math.max(0, ofAddress, failures.last + wait - now);
  }

  /** It was wrong. */
  failed({ address, who, shown }: Attempt): void {
    const from = clientNetwork(address);
    const now = this.#clock.now();
    const before = this.#failures.get(key(from, who));
    const goesOn = before !== undefined && now - before.last < FORGET_MS;
    this.#failures.set(key(from, who), { count: goesOn ? before.count + 1 : 1, last: now });
    const emptyAt = Math.max(this.#emptyAt.get(from) ?? 0, now) + LEAK_MS;
    // Many may have been judged at the same time.
    this.#emptyAt.set(from, Math.min(emptyAt, now + (FREE_OF_ADDRESS - 1) * LEAK_MS + LONGEST_MS));
    this.#proved.delete(key(from, shown));
  }

  /** It was right. */
  succeeded({ address, who, shown }: Attempt): void {
    const from = clientNetwork(address);
    this.#failures.delete(key(from, who));
    this.#proved.set(key(from, shown), true);
  }
}

/** A map that forgets what was not set for longest when it is full. */
class Recent<Value> extends Map<string, Value> {
  readonly #max: number;

  constructor(max: number) {
    super();
    this.#max = max;
  }

  override set(name: string, value: Value): this {
    this.delete(name);
    super.set(name, value);
    const [oldest] = this.keys();
    if (this.size > this.#max && oldest !== undefined) this.delete(oldest);
    return this;
  }
}

/** Names come from outside, and may be long. */
function key(from: string, name: string): string {
  return `${from} ${name.slice(0, 128)}`;
}
