import { z } from 'zod';

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
  return z.strictObject(shape, { error: 'must be a map of keys and values' });
}
