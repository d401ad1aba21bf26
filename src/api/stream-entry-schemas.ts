import { z } from 'zod';
import { API_KEYS, type ApiKey } from '#config/entry-change.ts';
import { forwardWish, shownForward } from '#config/forward-schema.ts';
import { nearest } from '#config/nearest.ts';
import { burnInKeys, detectWish, streamShape } from '#config/stream-schema.ts';

/** The JSON of `/api/config/streams`: made of the schema that checks the file, so that both have the same rules. */

type Field = z.ZodType;

/** Who may set an address cannot say whether it is to be trusted. */
const apiShape = { ...streamShape, forward: forwardWish };
const fields: readonly (readonly [ApiKey, Field])[] = API_KEYS.map((key) => [key, apiShape[key]]);

/** A wrong key says which one may have been meant. */
const keys = (shape: Record<string, Field>) =>
  z.strictObject(shape, {
    error: (issue) => {
      if (issue.code !== 'unrecognized_keys') return 'must be a map of keys and values';
      return (issue['keys'] as readonly string[]).map(unknownKey).join('; ');
    },
  });

function unknownKey(key: string): string {
  const near = nearest(key, API_KEYS);
  const others = near === undefined ? `The keys are: ${API_KEYS.join(', ')}` : `Did you mean "${near}"?`;
  return `there is no key "${key}" that the API takes. ${others}`;
}

/** All of an entry; what is left out is as by default. */
export const entryBody = keys(Object.fromEntries(fields)).meta({ id: 'StreamSettings' });

/** Some keys of an entry; `null` is the default. */
export const entryPatch = keys(
  Object.fromEntries(fields.map(([key, field]) => [key, withoutDefault(field).nullable().optional()])),
).meta({ id: 'StreamSettingsPatch' });

/** With a default, a key that was left out would be set to it. */
function withoutDefault(field: Field): Field {
  const inner = field instanceof z.ZodDefault ? (field.unwrap() as Field) : field;
  return inner.meta({ ...field.meta() });
}

/** What has a transformation on the way in is shown as it comes out of it. */
const shown: Record<string, Field> = {
  ...Object.fromEntries(fields.map(([key, field]) => [key, withoutDefault(field).optional()])),
  detect: z.array(detectWish.extend({ burnIn: burnInKeys.optional() })),
  forward: z.array(shownForward),
};

/** An entry, as an answer shows it. */
export const entry = z
  .object({
    name: z.string().meta({ description: 'Name of the stream, or a pattern of names.' }),
    pattern: z.boolean().meta({ description: 'It is a pattern: its streams come when somebody wants one.' }),
    restricted: z.array(z.string()).meta({
      description:
        'What came over the API, and may only lead where `sources` lets the API lead: `source`, `fill`, `standby`, `forward[0]`.',
    }),
    version: z.string().meta({
      description:
        'Its ETag, without the quotes: with `If-Match` a change is refused where the entry is another by then.',
    }),
    settings: z.object(shown).meta({
      description: 'Complete with defaults. `***` in an address stands for a secret; it may be sent back.',
    }),
  })
  .meta({ id: 'ConfiguredStream' });
