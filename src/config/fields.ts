import { z } from 'zod';
import { nearest } from './nearest.ts';

/** The kinds of values that the configuration has; each rule is worded so that it can follow the key in an error. */

export function wholeNumber(minimum: number, maximum: number) {
  const error = `must be a whole number from ${minimum} to ${maximum}`;
  return z.number({ error }).int({ error }).min(minimum, { error }).max(maximum, { error });
}

export function yesOrNo() {
  return z.boolean({ error: 'must be true or false' });
}

export function oneOf<const Values extends readonly [string, ...string[]]>(...values: Values) {
  return z.enum(values, { error: `must be one of ${values.join(', ')}` });
}

const fingerprintRule =
  'must be the SHA-256 of a certificate: 64 hexadecimal digits, colons between pairs allowed';

export function fingerprint() {
  return z
    .string({ error: fingerprintRule })
    .regex(/^(?:[0-9a-f]{2}:?){31}[0-9a-f]{2}$/i, { error: fingerprintRule });
}

export function section<Shape extends z.ZodRawShape>(shape: Shape) {
  const known = Object.keys(shape);
  return z.strictObject(shape, {
    error: (issue) => {
      if (issue.code !== 'unrecognized_keys') return 'must be a map of keys and values';
      return (issue['keys'] as readonly string[]).map((key) => unknownKey(key, known)).join('; ');
    },
  });
}

function unknownKey(key: string, known: readonly string[]): string {
  const near = nearest(key, known);
  return near === undefined
    ? `has no key "${key}"; the keys are: ${known.join(', ')}`
    : `has no key "${key}"; did you mean "${near}"`;
}
