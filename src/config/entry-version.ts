import { createHmac, createSecretKey, randomBytes } from 'node:crypto';
import type { StreamEntry } from './stream-schema.ts';

/** Of this process: what is made of secrets must not let anybody guess them. */
const key = createSecretKey(randomBytes(32));

/** Stands for what an entry says, secrets included: another entry has another version, as long as this process runs. */
export function entryVersion(entry: StreamEntry): string {
  return createHmac('sha256', key).update(JSON.stringify(entry)).digest('base64url').slice(0, 22);
}
