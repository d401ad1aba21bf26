import { isNamePattern, nameParts } from '#util/name-pattern.ts';
import { messageOf } from '#util/named-error.ts';
import { sourceKind } from './source.ts';

/**
 * Entries of `streams` whose key is a pattern of names. In the source of such an entry `$1` to `$9` stand for what a name
 * has in the places that the pattern leaves open, and `$$` for a dollar sign.
 *
 * A reader chooses the name, so what comes out of it must not lead elsewhere than whoever wrote the entry meant. Names
 * have no other characters than letters, digits and `. _ ~ - /`; beyond that, in host and port of an address there can be
 * one piece of a label and no dots or slashes (`cam-$1.local` stays below `.local`), and nowhere can a segment of a path
 * become `.` or `..`.
 */
export interface StreamPattern {
  /** Whether the host of the source hangs on the name: then whoever names a stream has a say in where it leads. */
  readonly choosesHost: boolean;
  readonly choosesPort: boolean;
  /** Undefined for names that are none of the pattern. */
  match(name: string): PatternMatch | undefined;
}

export interface PatternMatch {
  /** The source with the name's parts in it; undefined where the entry has none, or where these parts may not stand there. */
  readonly source: string | undefined;
}

/** Whether the key of an entry of `streams` is a pattern; what begins with `~` is one, though a name may begin so too. */
export const isStreamPattern = isNamePattern;

interface PatternEntry {
  readonly source?: string | undefined;
  readonly fill?: string | undefined;
  readonly onDemand?: boolean | undefined;
  readonly forward?: readonly { readonly url: string }[];
}

/** What is wrong with an entry for a pattern, in a sentence that begins with the key; undefined when nothing is. */
export function patternTrouble(
  key: string,
  { source, fill, onDemand, forward = [] }: PatternEntry,
): string | undefined {
  try {
    compileStreamPattern(key, source);
    compileStreamPattern(key, fill);
    for (const { url } of forward) {
      const { choosesHost, choosesPort } = compileStreamPattern(key, url);
      // Whoever publishes a stream would choose where it goes.
      if (choosesHost || choosesPort)
        return `"streams.${key}.forward" cannot have parts of the name in host or port, nor where the name of another stream begins.`;
    }
  } catch (error) {
    if (!(error instanceof BadPattern)) throw error;
    return `"streams.${key}" ${error.message}.`;
  }
  if (source !== undefined && forward.length > 0)
    return `"streams.${key}.forward" cannot stand beside a source, because it would keep every stream of the pattern open for ever.`;
  if (source === undefined || onDemand !== false) return undefined;
  return `"streams.${key}.onDemand" cannot be false, because which streams a pattern stands for shows when somebody wants one.`;
}

/** The message is the end of a sentence that begins with the key. */
class BadPattern extends Error {}

/** A piece of a label, or digits of a port. */
const HOST_PART = /^[A-Za-z0-9-]+$/;

/**
 * The pattern of an entry without trouble ({@link patternTrouble}): the key is a regular expression where it says so, and
 * the source has no part that the pattern does not have.
 */
export function compileStreamPattern(key: string, source: string | undefined): StreamPattern {
  const parts = partsOf(key);
  const pieces = source === undefined ? undefined : templateOf(source, countOf(key));
  const chooses = (where: Place) => pieces?.some(({ place, part }) => place === where && part > 0) ?? false;
  return {
    choosesHost: chooses('host'),
    choosesPort: chooses('port'),
    match(name) {
      const found = parts(name);
      return found && { source: pieces && fill(pieces, found) };
    },
  };
}

function partsOf(key: string): (name: string) => readonly string[] | undefined {
  try {
    return nameParts(key);
  } catch (error) {
    throw new BadPattern(`is no regular expression behind "~": ${messageOf(error)}`);
  }
}

/** How many parts a pattern has: an expression that also takes nothing tells. */
function countOf(key: string): number {
  if (!key.startsWith('~')) return 1;
  return (new RegExp(`${key.slice(1)}|`, 'u').exec('')?.length ?? 1) - 1;
}

type Place = 'user' | 'host' | 'port' | 'path' | 'query';

/** A text and, behind it, the number of a part; 0: none. */
interface Piece {
  readonly text: string;
  readonly part: number;
  /** Where the part stands. */
  readonly place: Place;
}

function templateOf(source: string, count: number): readonly Piece[] {
  const pieces: Piece[] = [];
  let text = '';
  let last = 0;
  for (const match of source.matchAll(/\$(\$|[0-9])/g)) {
    text += source.slice(last, match.index);
    last = match.index + match[0].length;
    if (match[1] === '$') {
      text += '$';
      continue;
    }
    const part = Number(match[1]);
    if (part < 1 || part > count) {
      const has = count === 1 ? 'one part' : `${count} parts`;
      throw new BadPattern(`has $${part} in its source, and the pattern has ${has}; $$ is a dollar sign`);
    }
    pieces.push({ text, part, place: placeOf(source, match.index) });
    text = '';
  }
  return [...pieces, { text: text + source.slice(last), part: 0, place: 'path' }];
}

/** In which part of an address a position is (RFC 3986 section 3); of a file's path it is the path. */
function placeOf(source: string, at: number): Place {
  // Another name of this server: where it leads is decided by what it begins with.
  if (/^stream:/i.test(source)) return at === 'stream:'.length ? 'host' : 'path';
  const kind = sourceKind(source);
  if (kind === 'path') return 'path';
  // Which device of this machine is taken is no choice of whoever asks for a stream.
  if (kind === 'device') return 'host';
  const scheme = source.indexOf('://') + 3;
  const rest = source.slice(scheme);
  const end = rest.search(/[/?#]/);
  const authorityEnd = end < 0 ? source.length : scheme + end;
  if (at >= authorityEnd) {
    const mark = source.slice(authorityEnd).search(/[?#]/);
    return mark >= 0 && at > authorityEnd + mark ? 'query' : 'path';
  }
  const authority = source.slice(scheme, authorityEnd);
  const hostAt = scheme + authority.lastIndexOf('@') + 1;
  if (at < hostAt) return 'user';
  const before = source.slice(hostAt, at).replace(/^\[[^\]]*\]/, '');
  return !before.startsWith('[') && before.includes(':') ? 'port' : 'host';
}

function fill(pieces: readonly Piece[], parts: readonly string[]): string | undefined {
  const wellPlaced = pieces.every(({ part, place }) => part === 0 || mayStand(parts[part - 1] ?? '', place));
  if (!wellPlaced) return undefined;
  const whole = joined(pieces, (part) => parts[part - 1] ?? '');
  // What the name brought must not lead up, nor be nothing between two slashes; what was written may.
  const written = joined(pieces, () => 'x');
  return odd(whole) > odd(written) ? undefined : whole;
}

function mayStand(value: string, place: Place): boolean {
  if (place === 'host') return HOST_PART.test(value);
  return place !== 'port' || /^\d{1,5}$/.test(value);
}

function joined(pieces: readonly Piece[], valueOf: (part: number) => string): string {
  return pieces
    .map(({ text, part, place }) => {
      if (part === 0) return text;
      // Slashes are part of names and of paths; anywhere else they would end what they stand in.
      return text + (place === 'path' ? valueOf(part) : encodeURIComponent(valueOf(part)));
    })
    .join('');
}

/** How many segments of the path are `.`, `..` or, but for the first and the last, empty. */
function odd(address: string): number {
  const path = address.replace(/^[a-z][a-z0-9+.-]*:\/\/[^/?#]*/i, '').replace(/[?#].*$/s, '');
  const segments = path.split('/');
  return segments.filter(
    (one, at) => one === '.' || one === '..' || (one === '' && at > 0 && at < segments.length - 1),
  ).length;
}
