import type { Clock } from '#util/clock.ts';
import { verifyPassword } from '#util/password-hash.ts';
import { SecretKey } from './secrets.ts';

/** How long a password that was right is known to be so, in ms. */
const REMEMBER_MS = 60_000;
const MAX_REMEMBERED = 1000;

/** Hashes that are computed at a time: the pool of threads is also that of files and names. */
const MAX_RUNNING = 2;
const MAX_WAITING = 64;

/** Too many passwords wait to be checked. */
export class CheckerBusy extends Error {}

/**
 * Checks passwords against hashes. Argon2 is slow on purpose, and players ask often: a password that was right is
 * remembered for a minute, by an HMAC of it under a key of this process, and the same one is not computed twice at a
 * time. Wrong ones are not remembered.
 */
export class PasswordChecker {
  readonly #clock: Clock;
  readonly #verify: typeof verifyPassword;
  readonly #key = new SecretKey();
  /** When what was right is forgotten, oldest first. */
  readonly #right = new Map<string, number>();
  readonly #pending = new Map<string, Promise<boolean>>();
  readonly #waiting: (() => void)[] = [];
  #running = 0;

  constructor(clock: Clock, verify = verifyPassword) {
    this.#clock = clock;
    this.#verify = verify;
  }

  /**
   * @param begin called before anything is computed; what it throws is thrown. Who waited may have lost the right to try.
   * @throws CheckerBusy
   */
  async check(hash: string, password: string, begin: () => void = () => {}): Promise<boolean> {
    const sealed = this.#key.seal(hash, password);
    const now = this.#clock.now();
    if ((this.#right.get(sealed) ?? 0) > now) return true;
    const pending = this.#pending.get(sealed);
    if (pending) return pending;
    const computing = this.#compute(hash, password, begin);
    this.#pending.set(sealed, computing);
    try {
      const right = await computing;
      if (right) this.#remember(sealed);
      return right;
    } finally {
      this.#pending.delete(sealed);
    }
  }

  async #compute(hash: string, password: string, begin: () => void): Promise<boolean> {
    if (this.#running >= MAX_RUNNING) {
      if (this.#waiting.length >= MAX_WAITING) throw new CheckerBusy();
      // Whoever ends hands the place on.
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    } else {
      this.#running++;
    }
    try {
      begin();
      return await this.#verify(hash, password);
    } finally {
      const next = this.#waiting.shift();
      if (next) next();
      else this.#running--;
    }
  }

  #remember(sealed: string): void {
    this.#right.delete(sealed);
    this.#right.set(sealed, this.#clock.now() + REMEMBER_MS);
    const [oldest] = this.#right.keys();
    if (this.#right.size > MAX_REMEMBERED && oldest !== undefined) this.#right.delete(oldest);
  }
}
