import { NamedError } from '#util/named-error.ts';

const SEGMENT = /^[A-Za-z0-9._~-]+$/;
const RESERVED = new Set(['api', 'metrics', 'assets']);
/** First segment of what jobs of this server publish. It is read like every stream. */
const JOBS = 'jobs';

/**
 * Checks a stream name: 1 to 8 segments of `[A-Za-z0-9._~-]+` joined by `/`, 255 characters at most; the first segment
 * is not one that the HTTP door needs for itself.
 * @returns the name without slashes around it
 * @throws NamedError STREAM_NAME_INVALID that says which rule is broken
 */
export function parseStreamName(text: string): string {
  const name = text.replace(/^\/+|\/+$/g, '');
  const refuse = (rule: string): never => {
    throw new NamedError(
      'STREAM_NAME_INVALID',
      `The stream name "${shorten(name)}" is not allowed: ${rule}. Choose a name such as "yard/gate-1".`,
    );
  };
  if (name === '') refuse('it is empty');
  if (name.length > 255) refuse(`it has ${name.length} characters, and 255 are the most`);
  const segments = name.split('/');
  if (segments.length > 8) refuse(`it has ${segments.length} segments, and 8 are the most`);
  for (const segment of segments) {
    if (segment === '') refuse('two slashes follow each other');
    if (segment === '.' || segment === '..') refuse(`"${segment}" is no segment of a name`);
    if (!SEGMENT.test(segment)) {
      refuse(`"${shorten(segment)}" has characters other than letters, digits and . _ ~ -`);
    }
  }
  if (RESERVED.has(segments[0]!)) refuse(`"${segments[0]}" is reserved as first segment`);
  return name;
}

/** Whether only a job of this server may publish a stream of that name. */
export function isJobStream(name: string): boolean {
  return name === JOBS || name.startsWith(`${JOBS}/`);
}

/**
 * Checks the name of a stream that somebody wants to publish, or that the configuration brings: as {@link parseStreamName},
 * and it is no stream of a job.
 * @throws NamedError STREAM_NAME_INVALID
 */
export function parsePublishedName(text: string): string {
  const name = parseStreamName(text);
  if (!isJobStream(name)) return name;
  throw new NamedError(
    'STREAM_NAME_INVALID',
    `The stream name "${shorten(name)}" is not allowed: below "${JOBS}" only jobs of this server publish. Choose a name such as "yard/gate-1".`,
  );
}

function shorten(text: string): string {
  return text.length > 60 ? `${text.slice(0, 57)}…` : text;
}
