import { messageOf, NamedError } from '#util/named-error.ts';

/**
 * What Redis or the way to it said, as a named error: nothing in it comes from the address but host and port.
 * @param address without credentials
 */
export function redisError(error: unknown, address: string): NamedError {
  if (error instanceof NamedError) return error;
  const said = saidBy(error);
  const named = (code: string, sentence: string) => new NamedError(code, sentence, 503, { cause: error });
  // The first word of an answer of Redis that is an error.
  switch (/^[A-Z]+(?= )/.exec(said)?.[0]) {
    case 'WRONGPASS':
    case 'NOAUTH':
      return named(
        'REDIS_LOGIN_REFUSED',
        `Redis at ${address} refuses the user or the password of "redis.url" (${said}). Correct them there.`,
      );
    case 'NOPERM':
      return named(
        'REDIS_FORBIDDEN',
        `Redis at ${address} does not let its user do this: ${said}. It needs "+publish +spublish +pubsub +set +select +cluster", its channels ("&*") and, for what is kept, its keys ("~*").`,
      );
    case undefined:
      return named(
        'REDIS_UNREACHABLE',
        `Redis at ${address} cannot be reached: ${said}. It is tried again; start it, or correct "redis.url".`,
      );
    default:
      return refusedByPassword(said)
        ? named(
            'REDIS_LOGIN_REFUSED',
            `Redis at ${address} has no password set, and "redis.url" has one: ${said}. Take it out there.`,
          )
        : named('REDIS_REFUSED', `Redis at ${address} does not take what it is sent: ${said}.`);
  }
}

/** `ERR AUTH <password> called without any password configured for the default user`. */
function refusedByPassword(said: string): boolean {
  return /without any password configured/.test(said);
}

/** Errors of several attempts at once have no message of their own. */
function saidBy(error: unknown): string {
  const first = error instanceof AggregateError ? (error.errors[0] as unknown) : error;
  const { code = 'no reason was given' } = first as { code?: string };
  const text = messageOf(first).trim().replace(/\.$/, '');
  return text === '' ? code : text;
}
