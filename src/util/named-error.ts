/**
 * An expected failure: something outside broke a rule. The message names the thing, the rule and the way out; `code`
 * is stable and stands in docs/errors.md (a test holds the two together). A broken invariant is an assert, not this.
 */
export class NamedError extends Error {
  readonly code: string;
  /** HTTP status where the failure reaches a client over HTTP; also the base for RTSP status codes. */
  readonly status: number;

  constructor(code: string, message: string, status = 400, options?: ErrorOptions) {
    super(message, options);
    this.name = 'NamedError';
    this.code = code;
    this.status = status;
  }
}

/** The message of anything thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
