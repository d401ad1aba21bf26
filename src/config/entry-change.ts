import type { z } from 'zod';
import { NamedError } from '#util/named-error.ts';
import { meantAddress } from './shown-address.ts';
import { sourceKind } from './source.ts';
import { type StreamEntry, streamSchema } from './stream-schema.ts';

/** Who may say it: `anybody` who manages the stream, or who writes the file alone. */
type Author = 'anybody' | 'file';

/**
 * Which keys of an entry the API takes. A key is the file's alone when it leads somewhere (to an address, a path) and
 * nothing keeps it from leading to this machine yet; so the compiler asks about every key that is added.
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
  // Nothing keeps these from this machine yet.
  fill: 'file',
  standby: 'file',
  // Says nothing without the one before.
  standbyAfterSeconds: 'file',
  forward: 'file',

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
 * The entry that somebody wants over the API, in place of the one that there is, if any. A source that is another one
 * than before is restricted; what was written by hand stays trusted for as long as it is the same.
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
  const given = typeof wish['source'] === 'string' ? meantAddress(wish['source'], before?.source) : undefined;
  const merged: Record<string, unknown> = {
    ...kept,
    ...wish,
    ...(given === undefined ? {} : { source: given }),
  };
  const present = Object.entries(merged).filter(([, value]) => value !== null && value !== undefined);
  const parsed = streamSchema.safeParse(Object.fromEntries(present));
  if (!parsed.success) throw invalid(name, parsed.error.issues);
  const entry = parsed.data;
  const same = entry.source === before?.source;
  // The test picture leads nowhere.
  const leads = entry.source !== undefined && sourceKind(entry.source) !== 'test';
  return { ...entry, restricted: leads && (same ? (before?.restricted ?? false) : true) };
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
