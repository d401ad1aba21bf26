import type { Clock } from '#util/clock.ts';
import { SecretKey } from './secrets.ts';
import type { AccessRequest } from './words.ts';

export interface HookSettings {
  readonly url: string;
  readonly timeoutSeconds: number;
}

const REMEMBER_MS = 10_000;
const MAX_REMEMBERED = 1000;
const MAX_RUNNING = 64;

/** The service did not say yes or no. */
export class HookUnavailable extends Error {}

/**
 * Asks a service of the user's: POST of `{action, stream, door, remote, user, password, token}` as JSON; 2xx is yes, 401
 * and 403 are no. A yes is remembered for ten seconds, by an HMAC of the question.
 */
export class AuthHook {
  readonly #settings: HookSettings;
  readonly #clock: Clock;
  readonly #key = new SecretKey();
  readonly #yes = new Map<string, number>();
  #running = 0;

  constructor(settings: HookSettings, clock: Clock) {
    this.#settings = settings;
    this.#clock = clock;
  }

  /** @throws HookUnavailable */
  async allows({ action, stream, door, remote, credentials }: AccessRequest): Promise<boolean> {
    const secret =
      credentials.kind === 'password'
        ? { user: credentials.user, password: credentials.password }
        : credentials.kind === 'token'
          ? { token: credentials.token }
          : undefined;
    if (!secret) return false;
    const body = JSON.stringify({
      action,
      stream,
      door,
      remote,
      user: '',
      password: '',
      token: '',
      ...secret,
    });
    const sealed = this.#key.seal(body);
    if ((this.#yes.get(sealed) ?? 0) > this.#clock.now()) return true;
    if (this.#running >= MAX_RUNNING) throw new HookUnavailable('Too many questions are open.');
    this.#running++;
    try {
      const allowed = await this.#ask(body);
      if (allowed) this.#remember(sealed);
      return allowed;
    } finally {
      this.#running--;
    }
  }

  async #ask(body: string): Promise<boolean> {
    let status: number;
    try {
      const answer = await fetch(this.#settings.url, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body,
        redirect: 'manual',
        signal: AbortSignal.timeout(this.#settings.timeoutSeconds * 1000),
      });
      await answer.body?.cancel();
      status = answer.status;
    } catch (error) {
      throw new HookUnavailable('It does not answer.', { cause: error });
    }
    if (status >= 200 && status < 300) return true;
    if (status === 401 || status === 403) return false;
    throw new HookUnavailable(`It answers ${status}.`);
  }

  #remember(sealed: string): void {
    this.#yes.delete(sealed);
    this.#yes.set(sealed, this.#clock.now() + REMEMBER_MS);
    const [oldest] = this.#yes.keys();
    if (this.#yes.size > MAX_REMEMBERED && oldest !== undefined) this.#yes.delete(oldest);
  }
}
