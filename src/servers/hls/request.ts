import { NamedError } from '#util/named-error.ts';

/** What a player asks of a media playlist (delivery directives, RFC 8216bis §6.2.5). */
export interface Directives {
  /** Answer once the playlist has this segment. */
  readonly sequence: number | undefined;
  /** Answer once it has this part of that segment. */
  readonly part: number | undefined;
  /** Leave out what the player has already. */
  readonly skip: boolean;
}

/** @throws NamedError HLS_REQUEST_INVALID */
export function parseDirectives(query: URLSearchParams): Directives {
  const sequence = wholeNumber(query, '_HLS_msn');
  const part = wholeNumber(query, '_HLS_part');
  if (part !== undefined && sequence === undefined)
    throw invalid('"_HLS_part" counts the parts of a segment: "_HLS_msn" has to name the segment.');
  const skip = query.get('_HLS_skip');
  return { sequence, part, skip: skip === 'YES' || skip === 'v2' };
}

function wholeNumber(query: URLSearchParams, name: string): number | undefined {
  const text = query.get(name);
  if (text === null) return undefined;
  if (!/^\d{1,15}$/.test(text)) throw invalid(`"${name}" must be a whole number.`);
  return Number(text);
}

export function invalid(sentence: string): NamedError {
  return new NamedError('HLS_REQUEST_INVALID', sentence, 400);
}

/**
 * What has to stand behind the addresses in a playlist so that they carry the credentials of its own address, which
 * players do not do by themselves; or nothing.
 */
export function tokenSuffix(query: URLSearchParams): string {
  const shown = ['token', 'user', 'pass'].flatMap((name) => {
    const value = query.get(name);
    return value === null ? [] : [`${name}=${encodeURIComponent(value)}`];
  });
  return shown.length > 0 ? `?${shown.join('&')}` : '';
}

/** The first and the last byte of a Range header, or `none` to send all, or `unsatisfiable` (RFC 9110 §14). */
export function parseRange(
  header: string | undefined,
  size: number,
): { readonly first: number; readonly last: number } | 'none' | 'unsatisfiable' {
  const match = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header ?? '');
  // Several ranges at once may be answered by everything.
  if (!match || (match[1] === '' && match[2] === '')) return 'none';
  if (match[1] === '') {
    const count = Math.min(Number(match[2]), size);
    return count === 0 ? 'unsatisfiable' : { first: size - count, last: size - 1 };
  }
  const first = Number(match[1]);
  const last = match[2] === '' ? size - 1 : Math.min(Number(match[2]), size - 1);
  if (first >= size) return 'unsatisfiable';
  return last < first ? 'none' : { first, last };
}

/** The bytes from `first` to `last` of pieces that follow each other, without copying. */
export function slice(pieces: readonly Buffer[], first: number, last: number): Buffer[] {
  const cut: Buffer[] = [];
  let at = 0;
  for (const piece of pieces) {
    const [start, end] = [Math.max(first - at, 0), Math.min(last + 1 - at, piece.length)];
    if (start < end) cut.push(piece.subarray(start, end));
    at += piece.length;
  }
  return cut;
}
