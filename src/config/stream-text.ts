import { isDeepStrictEqual } from 'node:util';
import { isMap, isSeq, Scalar } from 'yaml';
import { type EntryKind, pairOf } from './edit-entries.ts';
import { burnInKeys, type StreamEntry, streamSchema } from './stream-schema.ts';

/** What the file says about the key that the API writes of its own: where the source is all, and where it is not. */
const RESTRICTED = {
  source: ' the source came over the API; take this line out to trust it',
  keys: ' these came over the API; take out what you trust',
  address: ' the address came over the API; take this line out to trust it',
};

/** An entry has to say something, so this one does; its source counts as no default. */
const DEFAULTS: StreamEntry = { ...streamSchema.parse({ source: 'testsrc' }), source: undefined };

const BURN_IN = burnInKeys.parse({});

/** Entries of `streams`. */
export const streamEntries: EntryKind<StreamEntry> = {
  map: 'streams',
  stored(entry, key) {
    const value = valueOf(entry, key);
    if (isDeepStrictEqual(value, valueOf(DEFAULTS, key))) return undefined;
    switch (key) {
      case 'detect':
        return entry.detect.map(storedWish);
      case 'forward':
        return entry.forward.map(storedAddress);
      case 'restricted':
        return isDeepStrictEqual(value, ['source']) ? true : value;
      default:
        return value;
    }
  },
  explain(map) {
    if (map.flow) return;
    const { value } = pairOf(map, 'restricted') ?? {};
    if (value instanceof Scalar && value.value === true) value.comment ??= RESTRICTED.source;
    if (isSeq(value) && value.items.length > 0) {
      value.flow = true;
      value.comment ??= RESTRICTED.keys;
    }
    explainAddresses(pairOf(map, 'forward')?.value);
  },
};

/** An algorithm of which nothing else is said is written by its id. */
function storedWish({ algorithm, parameters, burnIn }: StreamEntry['detect'][number]): unknown {
  const more = {
    ...(Object.keys(parameters).length > 0 && { parameters }),
    ...(burnIn && { burnIn: isDeepStrictEqual(burnIn, BURN_IN) ? true : burnIn }),
  };
  return Object.keys(more).length > 0 ? { algorithm, ...more } : algorithm;
}

/** An address of which nothing else is said is written by itself. */
export function storedAddress(address: {
  readonly url: string;
  readonly transport?: string;
  readonly existing?: string | undefined;
  readonly fingerprint?: string | undefined;
  readonly insecure: boolean;
  readonly restricted: boolean;
}): unknown {
  const { url, transport = 'auto', existing, fingerprint, insecure, restricted } = address;
  const more = {
    ...(transport !== 'auto' && { transport }),
    ...(fingerprint !== undefined && { fingerprint }),
    ...(insecure && { insecure }),
    ...(existing !== undefined && { existing }),
    ...(restricted && { restricted }),
  };
  return Object.keys(more).length > 0 ? { url, ...more } : url;
}

/** Says of an address, or of those of a list, what its mark is. */
export function explainAddresses(value: unknown): void {
  const all = isSeq(value) && !value.flow ? value.items : [value];
  for (const item of all) {
    const mark = isMap(item) && !item.flow ? pairOf(item, 'restricted')?.value : undefined;
    if (mark instanceof Scalar && mark.value === true) mark.comment ??= RESTRICTED.address;
  }
}

function valueOf(entry: StreamEntry, key: string): unknown {
  return (entry as Readonly<Record<string, unknown>>)[key];
}
