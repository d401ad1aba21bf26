import { randomBytes } from 'node:crypto';

/**
 * Names of capture clocks, as Sluice sends them in the canonical names of its RTCP reports: who gets two streams whose
 * reports have the same name knows that they are of one clock, whatever way and time each took. RFC 3550 section 6.5.1
 * means canonical names for that, but many cameras have the same one (their host's, say `localhost`), so only names of
 * this form are believed.
 */
const NAME = /^[A-Za-z0-9_-]{16}@sluice$/;

/** A name that nobody else has. */
export function newClockName(): string {
  return `${randomBytes(12).toString('base64url')}@sluice`;
}

/** Whether a canonical name says which clock it is. */
export function isClockName(cname: string): boolean {
  return NAME.test(cname);
}
