import { NamedError } from './named-error.ts';

/** Somebody may not do what they want to; with what a door needs to say how it can be done after all. */
export class AccessRefusal extends NamedError {
  /** Values of `WWW-Authenticate`, the strongest first. Only with status 401. */
  readonly challenges: readonly string[];
  /** Only with status 429 and 503: it may be tried again after so long, in whole seconds. */
  readonly retryAfterSeconds: number | undefined;

  constructor(
    code: string,
    message: string,
    status: 401 | 403 | 429 | 503,
    {
      challenges = [],
      retryAfterSeconds,
    }: { challenges?: readonly string[]; retryAfterSeconds?: number } = {},
  ) {
    super(code, message, status);
    this.challenges = challenges;
    this.retryAfterSeconds = retryAfterSeconds;
  }
}
