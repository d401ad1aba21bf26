import { createHmac, createSecretKey, type KeyObject } from 'node:crypto';
import { messageOf } from '#util/named-error.ts';
import type { HookEvent, Outcome } from './event.ts';

/** Answers after which the same request may succeed later (RFC 9110 section 15): the server's faults, and these. */
const TRY_AGAIN: ReadonlySet<number> = new Set([408, 425, 429]);

/** Posts events as JSON. */
export class WebHook {
  readonly #url: string;
  readonly #timeoutMs: number;
  readonly #key: KeyObject | undefined;

  /** @param secret signs each body, so that the receiver can tell that it comes from here */
  constructor(url: string, timeoutMs: number, secret: string | undefined) {
    this.#url = url;
    this.#timeoutMs = timeoutMs;
    this.#key = secret === undefined ? undefined : createSecretKey(secret, 'utf8');
  }

  /** One attempt; never rejects. Redirects are not followed: events go to the address that was configured. */
  async deliver(event: HookEvent, stop: AbortSignal): Promise<Outcome> {
    const body = JSON.stringify(event);
    const headers: Record<string, string> = { 'content-type': 'application/json' };
    if (this.#key) headers['x-sluice-signature'] = signatureOf(body, this.#key);
    try {
      const response = await fetch(this.#url, {
        ...{ method: 'POST', body, headers, redirect: 'manual' },
        signal: AbortSignal.any([stop, AbortSignal.timeout(this.#timeoutMs)]),
      });
      // What it says is of no use; the connection is, for the next event.
      await response.body?.cancel();
      const { status, ok } = response;
      if (ok) return { ok, status };
      return { ok, status, message: `It answered ${status}.`, retry: status >= 500 || TRY_AGAIN.has(status) };
    } catch (error) {
      const late = error instanceof DOMException && error.name === 'TimeoutError';
      const cause = error instanceof Error && error.cause ? messageOf(error.cause) : messageOf(error);
      const message = late
        ? `It did not answer within ${this.#timeoutMs / 1000} s.`
        : `It cannot be reached: ${cause}`;
      return { ok: false, message, retry: !stop.aborted };
    }
  }
}

/** Value of `X-Sluice-Signature`: HMAC-SHA256 of the body, as hex. */
export function signatureOf(body: string, key: KeyObject): string {
  return `sha256=${createHmac('sha256', key).update(body).digest('hex')}`;
}
