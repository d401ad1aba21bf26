import { type Argon2Parameters, argon2, randomBytes, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';

const derive: (algorithm: 'argon2id', parameters: Argon2Parameters) => Promise<Buffer> = promisify(argon2);

/** As OWASP advises for argon2id: 19 MiB, two passes, one lane. */
const COST = { memory: 19_456, passes: 2, parallelism: 1 };
const SALT_BYTES = 16;
const TAG_BYTES = 32;

/** A hash of somebody else's that costs more is refused: each check of it would hold the server up. */
const MAX_COST = { memory: 262_144, passes: 16, parallelism: 16 };

interface PasswordHash {
  /** KiB. */
  readonly memory: number;
  readonly passes: number;
  readonly parallelism: number;
  readonly salt: Buffer;
  readonly tag: Buffer;
}

/** Whether a password of the configuration is meant to be a hash. */
export function looksHashed(password: string): boolean {
  return /^\$argon2/i.test(password);
}

/** A hash of argon2id (RFC 9106) in the PHC string format; undefined for what is none, or costs too much. */
export function parsePasswordHash(text: string): PasswordHash | undefined {
  const match =
    /^\$argon2id\$v=19\$m=(\d{1,9}),t=(\d{1,9}),p=(\d{1,9})\$([A-Za-z0-9+/]+)\$([A-Za-z0-9+/]+)$/.exec(text);
  if (!match) return undefined;
  const [memory, passes, parallelism] = match.slice(1, 4).map(Number) as [number, number, number];
  const [salt, tag] = match.slice(4).map((part) => Buffer.from(part, 'base64')) as [Buffer, Buffer];
  const tooMuch = memory > MAX_COST.memory || passes > MAX_COST.passes || parallelism > MAX_COST.parallelism;
  const tooLittle = passes < 1 || parallelism < 1 || memory < 8 * parallelism;
  if (tooMuch || tooLittle || salt.length < 8 || salt.length > 64 || tag.length < 16 || tag.length > 64) {
    return undefined;
  }
  return { memory, passes, parallelism, salt, tag };
}

/** Hashes a password for the configuration. */
export async function hashPassword(password: string): Promise<string> {
  const salt = randomBytes(SALT_BYTES);
  const { memory, passes, parallelism } = COST;
  const tag = await derive('argon2id', { ...COST, message: password, nonce: salt, tagLength: TAG_BYTES });
  const text = (bytes: Buffer) => bytes.toString('base64').replace(/=+$/, '');
  return `$argon2id$v=19$m=${memory},t=${passes},p=${parallelism}$${text(salt)}$${text(tag)}`;
}

/** Whether it is the password of the hash; takes some 20 ms of a thread of the pool. */
export async function verifyPassword(hash: string, password: string): Promise<boolean> {
  const parsed = parsePasswordHash(hash);
  if (!parsed) return false;
  const { memory, passes, parallelism, salt, tag } = parsed;
  const parameters = { memory, passes, parallelism, message: password, nonce: salt, tagLength: tag.length };
  return timingSafeEqual(await derive('argon2id', parameters), tag);
}
