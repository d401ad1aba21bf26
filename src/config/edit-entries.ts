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
  YAMLMap,
} from 'yaml';
import { NamedError } from '#util/named-error.ts';
import { spliced, undress, written } from './yaml-text.ts';

/** What has to be known of the entries of a map of the file to write one: those of `streams`, or of `jobs`. */
export interface EntryKind<Entry extends object> {
  /** The key of the map. */
  readonly map: 'streams' | 'jobs';
  /** What the file says for a key of an entry; undefined where that is so by default. */
  stored(entry: Entry, key: string): unknown;
  /** Explains, by comments, what the API wrote of its own. */
  explain(entry: YAMLMap): void;
}

/**
 * The text of a configuration file with another entry of a map. Everything but the lines of the entry stays as it is,
 * byte for byte, wherever the file is so regular that this can be done; of an entry that there was, only the keys change
 * that have another value. What stands anywhere else in the file means the same as before in any case.
 *
 * @param text of a file that parses
 * @param before the entry as the file has it now, complete with defaults; undefined: it has none
 * @param after the entry as it is to be; undefined: none
 * @throws NamedError CONFIG_NOT_EDITABLE where something else in the file hangs on the entry (an anchor)
 */
export function editEntry<Entry extends object>(
  kind: EntryKind<Entry>,
  text: string,
  name: string,
  before: Entry | undefined,
  after: Entry | undefined,
): string {
  const { plain, dress } = undress(text);
  const document = parseDocument(plain, { logLevel: 'error' });
  const others = allBut(document, kind.map, name);
  const untouched = written(document, plain);
  const entries = mapOf(document, kind.map);
  const pair = pairOf(entries, name);
  if (!after) entries.items = entries.items.filter((one) => one !== pair);
  else if (pair && before && isMap(pair.value)) change(kind, document, pair.value, before, after);
  else if (pair) pair.value = document.createNode(allStored(kind, after));
  else add(kind, document, entries, name, after);
  const edited = written(document, plain);
  if (untouched === undefined || edited === undefined) throw notEditable(name);
  const wanted = entryOf(parseDocument(edited, { logLevel: 'error' }), kind.map, name);
  for (const candidate of [spliced(plain, untouched, edited), edited]) {
    if (candidate === undefined) continue;
    const read = parseDocument(candidate, { logLevel: 'error' });
    if (read.errors.length > 0 || !isDeepStrictEqual(allBut(read, kind.map, name), others)) continue;
    if (isDeepStrictEqual(entryOf(read, kind.map, name), wanted)) return dress(candidate);
  }
  throw notEditable(name);
}

/** What an entry has in the file: nothing that is so by default. */
function allStored<Entry extends object>(kind: EntryKind<Entry>, entry: Entry): Record<string, unknown> {
  return Object.fromEntries(
    Object.keys(entry).flatMap((key) => {
      const value = kind.stored(entry, key);
      return value === undefined ? [] : [[key, value]];
    }),
  );
}

/** The map of that key; made where the file has none. */
function mapOf(document: Document, key: string): YAMLMap {
  if (!isMap(document.contents)) document.contents = new YAMLMap(document.schema);
  const root = document.contents as YAMLMap;
  const pair = pairOf(root, key);
  const value = pair?.value;
  if (isMap(value)) return value;
  if (isAlias(value)) throw notEditable(key);
  const map = new YAMLMap(document.schema);
  if (pair) {
    // What stands below the key may all be commented out.
    if (isNode(value)) Object.assign(map, { comment: value.comment, commentBefore: value.commentBefore });
    pair.value = map;
  } else {
    root.items.push(document.createPair(key, map));
  }
  return map;
}

/** By the text of its key, which YAML may take for a number. */
export function pairOf(map: YAMLMap, key: string): Pair<unknown, unknown> | undefined {
  return map.items.find((one) => isScalar(one.key) && String(one.key.value) === key);
}

function add<Entry extends object>(
  kind: EntryKind<Entry>,
  document: Document,
  entries: YAMLMap,
  name: string,
  entry: Entry,
): void {
  // `{}` has no room for more than a line.
  if (entries.items.length === 0) entries.flow = false;
  const pair = document.createPair(name, allStored(kind, entry));
  if (isMap(pair.value)) kind.explain(pair.value);
  entries.items.push(pair);
}

function change<Entry extends object>(
  kind: EntryKind<Entry>,
  document: Document,
  map: YAMLMap,
  before: Entry,
  after: Entry,
): void {
  for (const key of new Set([...Object.keys(before), ...Object.keys(after)])) {
    const [was, is] = [valueOf(before, key), valueOf(after, key)];
    if (isDeepStrictEqual(was, is)) continue;
    const value = is === undefined ? undefined : kind.stored(after, key);
    const pair = pairOf(map, key);
    if (value === undefined) map.items = map.items.filter((one) => one !== pair);
    else if (pair && isScalar(pair.value) && !(value instanceof Object)) pair.value.value = value;
    else if (pair && isSeq(pair.value) && Array.isArray(value)) {
      // Items that are as they were stay as they were written.
      const { items } = pair.value;
      const [old, now] = [was as readonly unknown[], is as readonly unknown[]];
      pair.value.items = value.map((one: unknown, at) => {
        const place = old.findIndex((other) => isDeepStrictEqual(other, now[at]));
        return items[place] ?? document.createNode(one);
      });
    } else if (pair) pair.value = document.createNode(value);
    else map.items.push(document.createPair(key, value));
  }
  kind.explain(map);
}

function valueOf(entry: object, key: string): unknown {
  return (entry as Readonly<Record<string, unknown>>)[key];
}

/** Everything that the file says but for one entry; an empty map says as little as none. */
function allBut(document: Document, key: string, name: string): unknown {
  const { [key]: entries, ...rest } = (document.toJS() ?? {}) as Record<string, unknown>;
  const others = Object.entries(entries ?? {}).filter(([one]) => one !== name);
  return { ...rest, [key]: others };
}

function entryOf(document: Document, key: string, name: string): unknown {
  const { [key]: entries } = (document.toJS() ?? {}) as Record<string, unknown>;
  return Object.entries(entries ?? {}).find(([one]) => one === name)?.[1];
}

function notEditable(name: string): NamedError {
  return new NamedError(
    'CONFIG_NOT_EDITABLE',
    `Something else in the configuration file hangs on "${name}" (an anchor or an alias), so it cannot be changed over the API without changing more. Edit the file by hand.`,
    409,
  );
}
