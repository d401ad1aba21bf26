import { NamedError } from '#util/named-error.ts';
import type { JsonSchemaObject, JsonSchemaProperty, Manifest, Parameters } from './contract.ts';
import { commonParameters } from './contract.ts';

/**
 * The schema of everything that can be set for an algorithm: the parameters that all have, and its own. An own one of
 * the same name as a common one replaces it (to give another default or narrower limits). For forms and for checks.
 */
export function parameterSchema(manifest: Manifest): JsonSchemaObject {
  return {
    type: 'object',
    properties: { ...manifest.parameters.properties, ...commonParameters, ...manifest.parameters.properties },
    additionalProperties: false,
  };
}

/**
 * Completes and checks parameters given for an algorithm: what is not given takes its default. Throws
 * PARAMETERS_INVALID, which names the parameter and the rule, also for a parameter that there is not.
 */
export function resolveParameters(manifest: Manifest, given: Readonly<Record<string, unknown>>): Parameters {
  const { properties } = parameterSchema(manifest);
  for (const name of Object.keys(given)) {
    if (!Object.hasOwn(properties, name)) {
      throw invalid(
        manifest,
        `there is no parameter "${name}"; there are ${Object.keys(properties).join(', ')}`,
      );
    }
  }
  const resolved: Record<string, unknown> = {};
  for (const [name, property] of Object.entries(properties)) {
    const value = given[name] === undefined ? property.default : given[name];
    const rule = brokenRule(value, property);
    if (rule !== undefined)
      throw invalid(manifest, `"${name}" must be ${rule}, not ${JSON.stringify(value)}`);
    resolved[name] = value;
  }
  return resolved;
}

/** Says what is wrong with the defaults a manifest gives, or undefined. */
export function checkParameterDefaults(manifest: Manifest): string | undefined {
  for (const [name, property] of Object.entries(manifest.parameters.properties)) {
    const rule = brokenRule(property.default, property);
    if (rule !== undefined) return `"parameters.properties.${name}.default": must be ${rule}`;
    const common: JsonSchemaProperty | undefined = Object.hasOwn(commonParameters, name)
      ? commonParameters[name as keyof typeof commonParameters]
      : undefined;
    if (common !== undefined && common.type !== property.type) {
      return `"parameters.properties.${name}.type": must be ${common.type}, as in every algorithm`;
    }
  }
  return undefined;
}

/** The rule of `property` that `value` breaks, as the end of "must be …". */
function brokenRule(value: unknown, property: JsonSchemaProperty): string | undefined {
  if (!hasType(value, property.type)) return article(property.type);
  if (typeof value === 'number') {
    if (property.minimum !== undefined && value < property.minimum) return `at least ${property.minimum}`;
    if (property.maximum !== undefined && value > property.maximum) return `at most ${property.maximum}`;
  }
  if (property.enum !== undefined && !property.enum.includes(value)) return `one of ${list(property.enum)}`;
  if (Array.isArray(value) && property.items !== undefined) {
    const { type, enum: allowed } = property.items;
    for (const item of value as readonly unknown[]) {
      if (!hasType(item, type)) return `an array of ${type}s`;
      if (allowed !== undefined && !allowed.includes(item)) {
        return `an array out of ${list(allowed)}`;
      }
    }
  }
  return undefined;
}

function hasType(value: unknown, type: JsonSchemaProperty['type']): boolean {
  switch (type) {
    case 'number':
      return typeof value === 'number' && Number.isFinite(value);
    case 'integer':
      return Number.isSafeInteger(value);
    case 'array':
      return Array.isArray(value);
    default:
      return typeof value === type;
  }
}

function article(type: string): string {
  return /^[aeiou]/.test(type) ? `an ${type}` : `a ${type}`;
}

function list(values: readonly unknown[]): string {
  return values.map((value) => JSON.stringify(value)).join(', ');
}

function invalid(manifest: Manifest, reason: string): NamedError {
  return new NamedError('PARAMETERS_INVALID', `Parameters of algorithm "${manifest.id}": ${reason}.`, 400);
}
