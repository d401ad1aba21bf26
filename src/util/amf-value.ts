/** A value of Action Message Format, 0 or 3. Dates are milliseconds since 1970; long strings and XML are strings. */
export type AmfValue = number | boolean | string | null | undefined | Date | AmfValue[] | AmfObject;
export interface AmfObject {
  [key: string]: AmfValue;
}

/** Objects inside objects; what encoders send has two levels. */
export const MAX_DEPTH = 16;
/** Values in one message, so that a few bytes cannot ask for much memory. */
export const MAX_VALUES = 4096;

export function isAmfObject(value: AmfValue): value is AmfObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date);
}
