import { isDeepStrictEqual } from 'node:util';
import {
  type Document,
  isAlias,
  isMap,
  isNode,
  isScalar,
  type Pair,
  parseDocument,
  Scalar,
  YAMLMap,
} from 'yaml';
import { NamedError } from '#util/named-error.ts';
import { type StreamEntry, streamKeys, streamSchema } from './stream-schema.ts';
import { spliced, undress, written } from './yaml-text.ts';

/** What the file says about the key that the API writes of its own. */
const RESTRICTED = ' the source came over the API; take this line out to trust it';

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
  if (key !== 'detect') return value;
  // An algorithm without parameters is written by its id.
  return entry.detect.map((wish) => (Object.keys(wish.parameters).length > 0 ? wish : wish.algorithm));
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
    else if (pair) pair.value = document.createNode(value);
    else map.items.push(document.createPair(key, value));
  }
  explain(map);
}

function explain(map: YAMLMap): void {
  const { value } = pairOf(map, 'restricted') ?? {};
  if (value instanceof Scalar && !map.flow) value.comment ??= RESTRICTED;
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
