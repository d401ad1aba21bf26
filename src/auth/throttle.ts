import { isIPv6 } from 'node:net';
import type { Clock } from '#util/clock.ts';

/** Mistakes that anybody may make without waiting. */
const FREE = 3;
const FIRST_MS = 1000;
const LONGEST_MS = 60_000;
/** Mistakes so long ago are forgotten. */
const FORGET_MS = 600_000;
const MAX_ADDRESSES = 10_000;

interface Failures {
  readonly count: number;
  readonly last: number;
  /** The user that all of them were about; undefined where that is not one. */
  readonly who: string | undefined;
}

/**
 * Slows down who guesses: after three wrong credentials an address waits one second, then two, four, up to sixty. Right
 * ones of the same user make it good; not those of another one, or whoever has some of their own could guess others'
 * between them. Bounded: where too many addresses guess, those that were quiet for longest are forgotten.
 */
export class Throttle {
  readonly #clock: Clock;
  /** By address, in the order of their last mistake. */
  readonly #failures = new Map<string, Failures>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Addresses with mistakes. */
  get size(): number {
    return this.#failures.size;
  }

  /** How long nothing from there is looked at, in ms; 0: it may try. */
  waitMs(address: string): number {
    const failures = this.#failures.get(network(address));
    if (!failures || failures.count < FREE) return 0;
    const wait = Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.min(failures.count - FREE, 10));
    return Math.max(0, failures.last + wait - this.#clock.now());
  }

  /** Something from there was wrong; `who`: the user whom it was to prove, where it names one. */
  failed(address: string, who?: string): void {
    const key = network(address);
    const now = this.#clock.now();
    const before = this.#failures.get(key);
    const goesOn = before !== undefined && now - before.last < FORGET_MS;
    this.#failures.delete(key);
    this.#failures.set(key, {
      count: goesOn ? before.count + 1 : 1,
      last: now,
      who: goesOn && before.who !== who ? undefined : who,
    });
    for (const [oldest, { last }] of this.#failures) {
      if (this.#failures.size <= MAX_ADDRESSES && now - last < FORGET_MS) break;
      this.#failures.delete(oldest);
    }
  }

  /** That user was proved from there. */
  succeeded(address: string, who: string): void {
    const key = network(address);
    if (this.#failures.get(key)?.who === who) this.#failures.delete(key);
  }
}

/** Who has one address of IPv6 mostly has all 2^64 of its network. */
function network(address: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  if (mapped !== undefined) return mapped;
  if (!isIPv6(address)) return address;
  const [head = '', tail] = (address.split('%', 1)[0] ?? '').toLowerCase().split('::');
  const front = head.split(':').filter(Boolean);
  const back = tail?.split(':').filter(Boolean) ?? [];
  const middle = tail === undefined ? [] : Array.from({ length: 8 - front.length - back.length }, () => '0');
  const groups = [...front, ...middle, ...back].map((group) => group.replace(/^0+(?=.)/, ''));
  return `${groups.slice(0, 4).join(':')}::/64`;
}
