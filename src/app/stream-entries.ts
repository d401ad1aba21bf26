import { dirname, resolve } from 'node:path';
import { editEntry } from '#config/edit-entries.ts';
import { type EntryWish, wishedEntry } from '#config/entry-change.ts';
import { entryVersion } from '#config/entry-version.ts';
import type { Config } from '#config/schema.ts';
import { sourceKind } from '#config/source.ts';
import { isStreamPattern, patternTrouble } from '#config/stream-pattern.ts';
import { LEADING_KEYS, type StreamEntry } from '#config/stream-schema.ts';
import { streamEntries } from '#config/stream-text.ts';
import { parsePublishedName } from '#hub/name.ts';
import { NamedError } from '#util/named-error.ts';
import { type EntryFile, editFile } from './edit-file.ts';
import { checkRestricted } from './source-policy.ts';

export interface StreamEntriesOptions {
  readonly file: EntryFile;
  /** The configuration at work. */
  readonly config: () => Config;
  readonly check?: typeof checkRestricted;
}

/** The entries of `streams`, as the API reads and writes them. */
export class StreamEntries {
  readonly #options: StreamEntriesOptions;

  constructor(options: StreamEntriesOptions) {
    this.#options = options;
  }

  /** In the order of the file. */
  list(): ReadonlyMap<string, StreamEntry> {
    return new Map(Object.entries(this.#options.config().streams));
  }

  /**
   * Sets an entry, and has the file say so.
   * @param wish `whole`: the keys that it does not have are as by default. `fresh`: there must be none yet. `match`: its
   *   `entryVersion` must be one of these
   * @returns whether there was none
   * @throws NamedError STREAM_NAME_INVALID, REQUEST_INVALID, SECRET_MISSING, SOURCE_FORBIDDEN, STREAM_CONFIGURED (412),
   *   STREAM_CHANGED (412), STREAM_NOT_CONFIGURED, and what `ConfigurationFile.edit` throws
   */
  async set(
    key: string,
    wish: {
      readonly keys: EntryWish;
      readonly whole: boolean;
      readonly fresh?: boolean;
      readonly match?: readonly string[] | undefined;
    },
  ): Promise<boolean> {
    const name = checkedKey(key);
    let created = false;
    await editFile(this.#options.file, async (text, config, file) => {
      const before = entryOf(config, name);
      created = before === undefined;
      if (before && wish.fresh) throw configured(name);
      if (!before && (!wish.whole || wish.match)) throw notConfigured(name);
      checkUnchanged(name, before, wish.match);
      const after = wishedEntry(name, before, withAbsolutePaths(wish.keys, file), wish.whole);
      const trouble = isStreamPattern(name) ? patternTrouble(name, after) : undefined;
      if (trouble !== undefined) throw new NamedError('REQUEST_INVALID', trouble);
      const { check = checkRestricted } = this.#options;
      await check(after, before, config);
      return editEntry(streamEntries, text, name, before, after);
    });
    return created;
  }

  /**
   * Takes an entry out of the file.
   * @throws NamedError STREAM_NOT_CONFIGURED, STREAM_CHANGED (412), and what `ConfigurationFile.edit` throws
   */
  async remove(key: string, match?: readonly string[]): Promise<void> {
    await editFile(this.#options.file, (text, config) => {
      const before = entryOf(config, key);
      if (!before) throw notConfigured(key);
      checkUnchanged(key, before, match);
      return editEntry(streamEntries, text, key, before, undefined);
    });
  }
}

/** A path is relative to the configuration file, as those in it are. */
function withAbsolutePaths(keys: EntryWish, file: string): EntryWish {
  const paths = LEADING_KEYS.flatMap((key) => {
    const value = keys[key];
    const isPath = typeof value === 'string' && value !== '' && sourceKind(value) === 'path';
    return isPath ? [[key, resolve(dirname(file), value)]] : [];
  });
  return { ...keys, ...Object.fromEntries(paths) };
}

function entryOf({ streams }: Config, name: string): StreamEntry | undefined {
  return Object.hasOwn(streams, name) ? streams[name] : undefined;
}

/** The key of an entry: a name as streams have them, or a pattern. */
function checkedKey(key: string): string {
  if (isStreamPattern(key)) {
    if (key.length <= 255) return key;
    throw new NamedError('STREAM_NAME_INVALID', 'A pattern of stream names has 255 characters at most.');
  }
  const name = parsePublishedName(key);
  // Of all names this one is none in a map of JavaScript.
  if (name !== '__proto__') return name;
  throw new NamedError('STREAM_NAME_INVALID', 'No stream of the configuration can be named "__proto__".');
}

/** Who changes an entry as it was shown must not undo what somebody else changed since. */
function checkUnchanged(
  name: string,
  now: StreamEntry | undefined,
  match: readonly string[] | undefined,
): void {
  if (!now || !match || match.includes(entryVersion(now))) return;
  throw new NamedError(
    'STREAM_CHANGED',
    `The configuration of the stream "${name}" has changed since it was read. Read it again, and change what it is now.`,
    412,
  );
}

function configured(name: string): NamedError {
  return new NamedError(
    'STREAM_CONFIGURED',
    `The configuration has a stream "${name}" already. Choose another name, or change that one.`,
    412,
  );
}

function notConfigured(name: string): NamedError {
  return new NamedError(
    'STREAM_NOT_CONFIGURED',
    `The configuration has no stream "${name}". GET /api/config/streams lists those that it has; PUT makes one.`,
    404,
  );
}
