import { z } from 'zod';
import { configSchema } from './schema.ts';
import { effectOf } from './settings.ts';

/** The part of JSON Schema (draft 2020-12) that the configuration uses. */
interface Field {
  readonly type?: string;
  readonly title?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly properties?: Readonly<Record<string, Field>>;
  readonly additionalProperties?: Field | boolean;
  readonly items?: Field;
  readonly anyOf?: readonly Field[];
  readonly oneOf?: readonly Field[];
  readonly enum?: readonly unknown[];
  readonly const?: string;
  readonly minimum?: number;
  readonly maximum?: number;
}

/** One key of the configuration, as the reference lists it. */
export interface Key {
  /** Joined by dots; `<name>` stands for a key that the user chooses, `[]` for each item of a list. */
  readonly path: string;
  readonly field: Field;
  /** Types of entries that have the key in this meaning, where others have it in another or not at all. */
  readonly types?: readonly string[];
}

/** Every key that has a value of its own, in the order of the schema. */
export function configKeys(): Key[] {
  return keysOf(z.toJSONSchema(configSchema, { io: 'input' }) as Field, '');
}

function keysOf(field: Field, path: string): Key[] {
  const below = (name: string) => (path === '' ? name : `${path}.${name}`);
  if (field.properties) {
    return Object.entries(field.properties).flatMap(([name, inner]) => keysOf(inner, below(name)));
  }
  if (typeof field.additionalProperties === 'object' && field.additionalProperties.properties) {
    return keysOf(field.additionalProperties, below('<name>'));
  }
  if (typeof field.additionalProperties === 'object' && field.additionalProperties.oneOf) {
    return keysOfTypes(field.additionalProperties.oneOf, below('<name>'));
  }
  const items = (field.items?.anyOf ?? (field.items ? [field.items] : [])).filter((one) => one.properties);
  // A map in place of a plain value.
  const maps = (field.anyOf ?? []).filter((one) => one.properties);
  return [
    { path, field },
    ...items.flatMap((one) => keysOf(one, `${path}[]`)),
    ...maps.flatMap((one) => keysOf(one, path)),
  ];
}

/** Keys of entries whose `type` says which they have: each once for each meaning. */
function keysOfTypes(variants: readonly Field[], path: string): Key[] {
  const found = new Map<string, { readonly key: Key; readonly types: string[] }>();
  for (const variant of variants) {
    const type = variant.properties?.['type']?.const ?? '';
    // What may be said of an address is the same for all of them, and listed with those of a list.
    const keys = keysOf(variant, path).filter(
      (key) => !/\./.test(key.path.slice(path.length + 1).replace(/\[\].*/, '')),
    );
    for (const key of keys) {
      const { const: _, ...field } = key.field;
      const meaning = `${key.path} ${JSON.stringify(field)}`;
      const known = found.get(meaning);
      if (known) known.types.push(type);
      else found.set(meaning, { key: { ...key, field }, types: [type] });
    }
  }
  return [...found.values()].map(({ key, types }) => {
    if (key.path === `${path}.type`) return { ...key, field: { ...key.field, enum: types } };
    return types.length === variants.length ? key : { ...key, types };
  });
}

/** docs/configuration.md, made from the schema. */
export function configReference(): string {
  const rows = configKeys().map(({ path, field, types }) => {
    const standard = field.default === undefined ? 'none' : `\`${JSON.stringify(field.default)}\``;
    const title = types ? `**${field.title}** (${types.join(', ')}).` : `**${field.title}.**`;
    const text = `${title} ${field.description}`.replaceAll('|', '\\|');
    const effect = effectOf(path.replace(/\[\].*$/, '')) ?? '';
    return `| \`${path}\` | ${values(field).replaceAll('|', '\\|')} | ${standard} | ${text} | ${effect} |`;
  });
  return [
    '# Configuration',
    '',
    '<!-- Made from src/config/schema.ts by "npm run docs"; a test holds the two equal. -->',
    '',
    'Sluice runs without a configuration. `sluice serve` reads `sluice.yml` in the current folder where there is one,',
    '`sluice serve --config <file>` another. [sluice.example.yml](../sluice.example.yml) has every key with its default.',
    'An unknown key or a wrong value is an error that names the file, the line, the key and the rule.',
    '',
    '## Changing it while the server runs',
    '',
    'The file is read again when it changes, and on SIGHUP (`kill -HUP <pid>`; a server in a terminal ends by that signal,',
    'because it means that the terminal was closed). Only what a change concerns takes it up: the last column says how. Nothing',
    'needs a restart. A file with an error changes nothing at all: the log and `configuration.error` of `GET /api/health` say',
    'why, and its `status` is `degraded` until the file is right again. A file that disappears counts as an error too. Where',
    'the file alone is mounted into a container, its folder does not see it change: send SIGHUP.',
    '',
    '## Keys',
    '',
    '| key | value | default | meaning | a change while the server runs |',
    '|---|---|---|---|---|',
    ...rows,
    '',
  ].join('\n');
}

function values(field: Field): string {
  if (field.enum) return field.enum.map((one) => `\`${String(one)}\``).join(', ');
  if (field.const !== undefined) return `\`${field.const}\``;
  if (field.anyOf) return field.anyOf.map(values).join(' or ');
  switch (field.type) {
    case 'boolean':
      return '`true` or `false`';
    case 'integer':
      return `${field.minimum} … ${field.maximum}`;
    case 'array':
      return `list of ${field.items ? values(field.items) : 'anything'}`;
    case 'object':
      return 'map';
    default:
      return 'text';
  }
}
