import { createHmac, createSecretKey, type KeyObject, randomBytes, timingSafeEqual } from 'node:crypto';

/**
 * A key that only this process has. What was made with it stands for a secret in tables and caches, so that the secret
 * itself does not; two of them are compared without telling by the time it takes how much of them is equal.
 */
export class SecretKey {
  readonly #key: KeyObject;

  constructor(key: Buffer = randomBytes(32)) {
    this.#key = createSecretKey(key);
  }

  /** HMAC-SHA-256 of the parts, which cannot be mistaken for other parts of the same letters; base64url. */
  seal(...parts: readonly string[]): string {
    const hmac = createHmac('sha256', this.#key);
    for (const part of parts) hmac.update(`${Buffer.byteLength(part)}:`).update(part);
    return hmac.digest('base64url');
  }

  /** Whether two secrets are equal, in a time that does not depend on where they differ. */
  equal(a: string, b: string): boolean {
    return timingSafeEqual(Buffer.from(this.seal(a)), Buffer.from(this.seal(b)));
  }
}
