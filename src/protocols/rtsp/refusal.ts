import { AccessRefusal } from '#util/access-refusal.ts';
import { NamedError } from '#util/named-error.ts';
import { rtspStatus } from './status.ts';

/** A failed request: an RTSP status, a sentence, and headers that belong to it. */
export class Refusal extends Error {
  readonly status: number;
  readonly headers: readonly (readonly [string, string])[];

  constructor(status: number, sentence: string, headers: readonly (readonly [string, string])[] = []) {
    super(sentence);
    this.status = status;
    this.headers = headers;
  }
}

/** An error as a refusal; undefined for one that nobody expected. */
export function asRefusal(error: unknown): Refusal | undefined {
  if (error instanceof Refusal) return error;
  if (error instanceof AccessRefusal) {
    const challenges = error.challenges.map((challenge) => ['WWW-Authenticate', challenge] as const);
    const wait = error.retryAfterSeconds;
    const headers = wait === undefined ? challenges : [['Retry-After', String(wait)] as const];
    return new Refusal(rtspStatus(error.status), error.message, headers);
  }
  return error instanceof NamedError ? new Refusal(rtspStatus(error.status), error.message) : undefined;
}
