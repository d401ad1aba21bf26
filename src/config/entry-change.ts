import type { z } from 'zod';
import { NamedError } from '#util/named-error.ts';
import { channelOfFile } from './frames-schema.ts';
import { meantAddress, meantAddresses } from './shown-address.ts';
import { sourceKind } from './source.ts';
import { LEADING_KEYS, type StreamEntry, streamSchema } from './stream-schema.ts';

/** Who may say it: `anybody` who manages the stream, or who writes the file alone. */
type Author = 'anybody' | 'file';

/**
 * Which keys of an entry the API takes. A key that leads somewhere (to an address, a path) is the file's alone until what
 * the API writes there is marked as restricted, below, and judged at each connection (`source-policy.ts` of the
 * application); so the compiler asks about every key that is added.
 */
const AUTHORS = {
  source: 'anybody',
  onDemand: 'anybody',
  onDemandStartSeconds: 'anybody',
  onDemandCloseSeconds: 'anybody',
  transport: 'anybody',
  fingerprint: 'anybody',
  insecure: 'anybody',
  loop: 'anybody',
  detect: 'anybody',
  fill: 'anybody',
  standby: 'anybody',
  standbyAfterSeconds: 'anybody',
  forward: 'anybody',
  // Else the API could trust itself.
  restricted: 'file',
} as const satisfies Record<keyof StreamEntry, Author>;

type EntryKey = keyof typeof AUTHORS;
export type ApiKey = { [K in EntryKey]: (typeof AUTHORS)[K] extends 'anybody' ? K : never }[EntryKey];

export const API_KEYS = Object.keys(AUTHORS).filter(
  (key): key is ApiKey => AUTHORS[key as EntryKey] === 'anybody',
);

/** Keys as somebody sends them; a key that is `null` is to be as by default. */
export type EntryWish = Readonly<Partial<Record<ApiKey, unknown>>>;

/**
 * The entry that somebody wants over the API, in place of the one that there is, if any. Each address and path that is
 * another one than before is restricted, and nothing else: what was written by hand stays trusted for as long as it is the
 * same.
 *
 * @param whole all keys that are not in the wish are as by default; else as they are
 * @throws NamedError REQUEST_INVALID that names the key and the rule; SECRET_MISSING
 */
export function wishedEntry(
  name: string,
  before: StreamEntry | undefined,
  wish: EntryWish,
  whole: boolean,
): StreamEntry {
  const kept = before === undefined ? {} : whole ? fileKeys(before) : before;
  const merged: Record<string, unknown> = { ...kept, ...wish, ...withSecrets(wish, before) };
  const present = Object.entries(merged).filter(([, value]) => value !== null && value !== undefined);
  const parsed = streamSchema.safeParse(Object.fromEntries(present));
  if (!parsed.success) throw invalid(name, parsed.error.issues);
  for (const [index, { algorithm, frames: wanted }] of parsed.data.detect.entries()) {
    const channels = before?.detect
      .filter((one) => one.algorithm === algorithm)
      .map((one) => one.frames?.channel);
    if (wanted?.channel === undefined || channels?.includes(wanted.channel)) continue;
    const path = ['detect', index, 'frames', 'channel'];
    throw invalid(name, [{ code: 'custom', path, message: channelOfFile, input: wanted.channel }]);
  }
  return marked(parsed.data, before);
}

/** Addresses of a wish with the secrets that stand in them as `***`. */
function withSecrets(wish: EntryWish, before: StreamEntry | undefined): EntryWish {
  const { source, fill, forward } = wish;
  return {
    ...(typeof source === 'string' && { source: meantAddress(source, before?.source, 'source') }),
    ...(typeof fill === 'string' && { fill: meantAddress(fill, before?.fill, 'fill') }),
    ...(Array.isArray(forward) && { forward: withForwardSecrets(forward, before?.forward ?? []) }),
  };
}

function withForwardSecrets(wishes: readonly unknown[], before: StreamEntry['forward']): unknown[] {
  const items = wishes.map(
    (one) => (typeof one === 'string' ? { url: one } : one) as { url?: unknown } | null,
  );
  const given = items.map((item) => (typeof item?.url === 'string' ? item.url : ''));
  const stored = before.map(({ url }) => url);
  const meant = meantAddresses(given, stored, 'forward');
  return items.map((item, at) => (given[at] === '' ? item : { ...item, url: meant[at] }));
}

/** Marks what came over the API, and nothing else. */
function marked(entry: StreamEntry, before: StreamEntry | undefined): StreamEntry {
  return {
    ...entry,
    restricted: LEADING_KEYS.filter((key) => {
      const value = entry[key];
      // The test picture leads nowhere.
      if (value === undefined || sourceKind(value) === 'test') return false;
      return value === before?.[key] ? before.restricted.includes(key) : true;
    }),
    forward: entry.forward.map((one) => {
      const same = before?.forward.find(({ url }) => url === one.url);
      return { ...one, restricted: same?.restricted ?? true };
    }),
  };
}

/** What of an entry may lead nowhere but where the API may lead: keys, and `forward[0]` of the first address. */
export function restrictedParts({ restricted, forward }: StreamEntry): string[] {
  return [...restricted, ...forward.flatMap((one, at) => (one.restricted ? [`forward[${at}]`] : []))];
}

/** What the API cannot say stays. */
function fileKeys(entry: StreamEntry): Partial<StreamEntry> {
  return Object.fromEntries(
    Object.entries(entry).filter(([key]) => !API_KEYS.some((known) => known === key)),
  );
}

function invalid(name: string, issues: readonly z.core.$ZodIssue[]): NamedError {
  const sentences = issues.map(
    ({ path, message }) => `"${['streams', name, ...path].join('.')}" ${message}.`,
  );
  return new NamedError('REQUEST_INVALID', [...new Set(sentences)].join(' '));
}
