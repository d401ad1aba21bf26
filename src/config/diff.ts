import { isDeepStrictEqual } from 'node:util';
import type { Config } from './schema.ts';
import { type Part, type Setting, settings } from './settings.ts';

/** One thing that two configurations say differently. */
export interface Change {
  /** `log.level`, or `streams.yard/gate-1` when the whole stream came or went. */
  readonly key: string;
  readonly kind: 'added' | 'removed' | 'changed';
  readonly parts: readonly Part[];
}

interface Leaf {
  readonly setting: Setting;
  readonly value: unknown;
  /** The entry with a name of the user's that it stands in, as `streams.yard/gate-1`. */
  readonly entry: string | undefined;
}

/**
 * What changed, by meaning: order, comments, and defaults that are written out or left out make no difference.
 * Sorted as the keys stand in the new file, what is gone at the end.
 */
export function diffConfig(before: Config, after: Config): Change[] {
  const old = leaves(before);
  const now = leaves(after);
  const oldEntries = entriesOf(old);
  const nowEntries = entriesOf(now);
  const changes = new Map<string, Change>();
  const add = (key: string, kind: Change['kind'], { setting }: Leaf) => {
    const parts = [...(changes.get(key)?.parts ?? []), ...settings[setting]];
    changes.set(key, { key, kind, parts: [...new Set(parts)] });
  };
  for (const [key, leaf] of now) {
    if (leaf.entry !== undefined && !oldEntries.has(leaf.entry)) add(leaf.entry, 'added', leaf);
    else if (!isDeepStrictEqual(old.get(key)?.value, leaf.value)) add(key, 'changed', leaf);
  }
  for (const [key, leaf] of old) {
    if (leaf.entry !== undefined && !nowEntries.has(leaf.entry)) add(leaf.entry, 'removed', leaf);
    else if (!now.has(key)) add(key, 'changed', leaf);
  }
  return [...changes.values()];
}

/** The parts of the server that have to take changes up. */
export function affectedParts(changes: readonly Change[]): ReadonlySet<Part> {
  return new Set(changes.flatMap(({ parts }) => parts));
}

/** For people: `log.level changed, streams.hall added`. Values are left out: some have passwords in them. */
export function describeChanges(changes: readonly Change[]): string {
  return changes.map(({ key, kind }) => `${key} ${kind}`).join(', ');
}

function entriesOf(all: ReadonlyMap<string, Leaf>): ReadonlySet<string | undefined> {
  return new Set(all.values().map(({ entry }) => entry));
}

/** Every value that the configuration says, by its key. */
function leaves(config: Config): ReadonlyMap<string, Leaf> {
  const found = new Map<string, Leaf>();
  const visit = (value: unknown, key: string, pattern: string, entry: string | undefined) => {
    if (value === undefined) return;
    if (Object.hasOwn(settings, pattern)) {
      found.set(key, { setting: pattern as Setting, value, entry });
      return;
    }
    const named = wildcards.has(pattern);
    for (const [name, inner] of Object.entries(value as object)) {
      const innerKey = key === '' ? name : `${key}.${name}`;
      const step = named ? '<name>' : name;
      visit(inner, innerKey, pattern === '' ? step : `${pattern}.${step}`, named ? innerKey : entry);
    }
  };
  visit(config, '', '', undefined);
  return found;
}

/** Keys whose own keys are names that the user chooses: `streams`. */
const wildcards: ReadonlySet<string> = new Set(
  Object.keys(settings)
    .filter((setting) => setting.includes('.<name>'))
    .map((setting) => setting.slice(0, setting.indexOf('.<name>'))),
);
