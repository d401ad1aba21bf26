import { z } from 'zod';
import type { Manifest } from './contract.ts';

const size = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('source') }),
  z.strictObject({
    kind: z.literal('fixed'),
    width: z.int().min(16).max(8192),
    height: z.int().min(16).max(8192),
  }),
  z.strictObject({
    kind: z.literal('aspect'),
    width: z.int().min(16).max(8192),
    multiple: z.int().min(1).max(256),
  }),
]);

const adapter = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('onnx'),
    file: z.string().min(1),
    decoder: z.enum(['nanodet']),
    sha256: z
      .string()
      .regex(/^[0-9a-f]{64}$/, 'must be 64 lower-case hexadecimal digits')
      .exactOptional(),
  }),
  z.strictObject({ kind: z.literal('plugin'), file: z.string().min(1) }),
  z.strictObject({
    kind: z.literal('http'),
    service: z.enum(['legacy']),
    url: z.url({ protocol: /^https?$/, error: 'must be an address with http:// or https://' }),
    timeoutMs: z.int().min(100).max(60_000).exactOptional(),
  }),
]);

const property = z.strictObject({
  type: z.enum(['number', 'integer', 'string', 'boolean', 'array']),
  title: z.string().exactOptional(),
  description: z.string().exactOptional(),
  // `z.unknown()` alone would let it be left out.
  default: z.unknown().refine((value): boolean => value !== undefined, 'every parameter needs a default'),
  minimum: z.number().exactOptional(),
  maximum: z.number().exactOptional(),
  enum: z.array(z.unknown()).min(1).readonly().exactOptional(),
  items: z
    .strictObject({
      type: z.enum(['string', 'number']),
      enum: z.array(z.unknown()).min(1).readonly().exactOptional(),
    })
    .exactOptional(),
});

/** The form of a manifest file; {@link Manifest} says what the fields mean. */
export const manifestSchema = z.strictObject({
  /** For editors; not read. */
  $schema: z.string().exactOptional(),
  schema: z.literal(1),
  id: z.string().regex(/^[a-z0-9-]{1,64}$/, 'must be 1 to 64 of a-z, 0-9 and "-"'),
  version: z.string().min(1),
  title: z.object({ en: z.string().min(1) }).catchall(z.string().min(1)),
  task: z.enum(['detect', 'classify', 'inspect']),
  input: z.strictObject({ size, format: z.enum(['rgb24', 'bgr24', 'gray8', 'jpeg']) }),
  labels: z.array(z.string().min(1)).readonly(),
  parameters: z.strictObject({
    type: z.literal('object'),
    properties: z.record(z.string().regex(/^[a-zA-Z][a-zA-Z0-9]*$/), property).readonly(),
    additionalProperties: z.literal(false),
  }),
  licence: z.string().min(1),
  adapter,
  track: z.boolean().exactOptional(),
  runtime: z
    .strictObject({ frameTimeoutMs: z.int().min(100).max(3_600_000).exactOptional() })
    .exactOptional(),
});

type Same<A, B> = [A] extends [B] ? ([B] extends [A] ? true : false) : false;
/** Fails to compile when the schema and the type in the contract drift apart. */
true satisfies Same<Omit<z.output<typeof manifestSchema>, '$schema'>, Manifest>;
