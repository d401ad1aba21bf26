import { isDeepStrictEqual } from 'node:util';
import {
  type Document,
  isAlias,
  isMap,
  isNode,
  isScalar,
  isSeq,
  type Pair,
  parseDocument,
  Scalar,
  YAMLMap,
  type YAMLSeq,
} from 'yaml';
import { NamedError } from '#util/named-error.ts';
import { type StreamEntry, streamKeys, streamSchema } from './stream-schema.ts';
import { spliced, undress, written } from './yaml-text.ts';

/** What the file says about the key that the API writes of its own: where the source is all, and where it is not. */
const RESTRICTED = {
  source: ' the source came over the API; take this line out to trust it',
  keys: ' these came over the API; take out what you trust',
  forward: ' the address came over the API; take this line out to trust it',
};

/**
 * The text of a configuration file with another entry of `streams`. Everything but the lines of the entry stays as it is,
 * byte for byte, wherever the file is so regular that this can be done; of an entry that there was, only the keys change
 * that have another value. What stands anywhere else in the file means the same as before in any case.
 *
 * @param text of a file that parses
 * @param before the entry as the file has it now, complete with defaults; undefined: it has none
 * @param after the entry as it is to be; undefined: none
 * @throws NamedError CONFIG_NOT_EDITABLE where something else in the file hangs on the entry (an anchor)
 */
export function editStream(
  text: string,
  name: string,
  before: StreamEntry | undefined,
  after: StreamEntry | undefined,
): string {
  const { plain, dress } = undress(text);
  const document = parseDocument(plain, { logLevel: 'error' });
  const others = allBut(document, name);
  const untouched = written(document, plain);
  const streams = streamsOf(document);
  const pair = pairOf(streams, name);
  if (!after) streams.items = streams.items.filter((one) => one !== pair);
  else if (pair && before && isMap(pair.value)) change(document, pair.value, before, after);
  else if (pair) pair.value = document.createNode(stored(after));
  else add(document, streams, name, after);
  const edited = written(document, plain);
  if (untouched === undefined || edited === undefined) throw notEditable(name);
  const wanted = entryOf(parseDocument(edited, { logLevel: 'error' }), name);
  for (const candidate of [spliced(plain, untouched, edited), edited]) {
    if (candidate === undefined) continue;
    const read = parseDocument(candidate, { logLevel: 'error' });
    if (read.errors.length > 0 || !isDeepStrictEqual(allBut(read, name), others)) continue;
    if (isDeepStrictEqual(entryOf(read, name), wanted)) return dress(candidate);
  }
  throw notEditable(name);
}

/** What an entry has in the file: nothing that is so by default. */
function stored(entry: StreamEntry): Record<string, unknown> {
  return Object.fromEntries(
    streamKeys.flatMap((key) => {
      const value = storedValue(entry, key);
      return value === undefined ? [] : [[key, value]];
    }),
  );
}

function storedValue(entry: StreamEntry, key: string): unknown {
  const value = valueOf(entry, key);
  if (isDeepStrictEqual(value, valueOf(DEFAULTS, key))) return undefined;
  switch (key) {
    case 'detect':
      // An algorithm without parameters is written by its id.
      return entry.detect.map((wish) => (Object.keys(wish.parameters).length > 0 ? wish : wish.algorithm));
    case 'forward':
      return entry.forward.map(storedForward);
    case 'restricted':
      return isDeepStrictEqual(value, ['source']) ? true : value;
    default:
      return value;
  }
}

/** An address of which nothing else is said is written by itself. */
function storedForward({ url, fingerprint, insecure, restricted }: StreamEntry['forward'][number]): unknown {
  const more = {
    ...(fingerprint !== undefined && { fingerprint }),
    ...(insecure && { insecure }),
    ...(restricted && { restricted }),
  };
  return Object.keys(more).length > 0 ? { url, ...more } : url;
}

/** An entry has to say something, so this one does; its source counts as no default. */
const DEFAULTS: StreamEntry = { ...streamSchema.parse({ source: 'testsrc' }), source: undefined };

function valueOf(entry: StreamEntry, key: string): unknown {
  return (entry as Readonly<Record<string, unknown>>)[key];
}

/** The map of streams; made where the file has none. */
function streamsOf(document: Document): YAMLMap {
  if (!isMap(document.contents)) document.contents = new YAMLMap(document.schema);
  const root = document.contents as YAMLMap;
  const pair = pairOf(root, 'streams');
  const value = pair?.value;
  if (isMap(value)) return value;
  if (isAlias(value)) throw notEditable('streams');
  const map = new YAMLMap(document.schema);
  if (pair) {
    // What stands below the key may all be commented out.
    if (isNode(value)) Object.assign(map, { comment: value.comment, commentBefore: value.commentBefore });
    pair.value = map;
  } else {
    root.items.push(document.createPair('streams', map));
  }
  return map;
}

/** By the text of its key, which YAML may take for a number. */
function pairOf(map: YAMLMap, key: string): Pair<unknown, unknown> | undefined {
  return map.items.find((one) => isScalar(one.key) && String(one.key.value) === key);
}

function add(document: Document, streams: YAMLMap, name: string, entry: StreamEntry): void {
  // `{}` has no room for more than a line.
  if (streams.items.length === 0) streams.flow = false;
  const pair = document.createPair(name, stored(entry));
  if (isMap(pair.value)) explain(pair.value);
  streams.items.push(pair);
}

function change(document: Document, map: YAMLMap, before: StreamEntry, after: StreamEntry): void {
  for (const key of streamKeys) {
    if (isDeepStrictEqual(valueOf(before, key), valueOf(after, key))) continue;
    const value = storedValue(after, key);
    const pair = pairOf(map, key);
    if (value === undefined) map.items = map.items.filter((one) => one !== pair);
    else if (pair && isScalar(pair.value) && !(value instanceof Object)) pair.value.value = value;
    else if (pair && key === 'forward' && isSeq(pair.value))
      changeForward(document, pair.value, before, after);
    else if (pair) pair.value = document.createNode(value);
    else map.items.push(document.createPair(key, value));
  }
  explain(map);
}

/** Addresses that are as they were stay as they were written. */
function changeForward(document: Document, seq: YAMLSeq, before: StreamEntry, after: StreamEntry): void {
  const { items } = seq;
  seq.items = after.forward.map((one) => {
    const at = before.forward.findIndex((other) => isDeepStrictEqual(one, other));
    return at < 0 ? document.createNode(storedForward(one)) : items[at];
  });
}

function explain(map: YAMLMap): void {
  if (map.flow) return;
  const { value } = pairOf(map, 'restricted') ?? {};
  if (value instanceof Scalar && value.value === true) value.comment ??= RESTRICTED.source;
  if (isSeq(value) && value.items.length > 0) {
    value.flow = true;
    value.comment ??= RESTRICTED.keys;
  }
  const { value: forward } = pairOf(map, 'forward') ?? {};
  if (!isSeq(forward) || forward.flow) return;
  for (const item of forward.items) {
    const mark = isMap(item) && !item.flow ? pairOf(item, 'restricted')?.value : undefined;
    if (mark instanceof Scalar && mark.value === true) mark.comment ??= RESTRICTED.forward;
  }
}

/** Everything that the file says but for one stream; an empty map of streams says as little as none. */
function allBut(document: Document, name: string): unknown {
  const { streams, ...rest } = (document.toJS() ?? {}) as Record<string, unknown>;
  const others = Object.entries(streams ?? {}).filter(([key]) => key !== name);
  return { ...rest, streams: others };
}

function entryOf(document: Document, name: string): unknown {
  const { streams } = (document.toJS() ?? {}) as Record<string, unknown>;
  return Object.entries(streams ?? {}).find(([key]) => key === name)?.[1];
}

function notEditable(name: string): NamedError {
  return new NamedError(
    'CONFIG_NOT_EDITABLE',
    `Something else in the configuration file hangs on "${name}" (an anchor or an alias), so it cannot be changed over the API without changing more. Edit the file by hand.`,
    409,
  );
}
