import { expect, test } from 'vitest';
import type { Manifest } from './contract.ts';
import { parameterSchema, resolveParameters } from './parameters.ts';

const manifest: Manifest = {
  schema: 1,
  id: 'test',
  version: '1',
  title: { en: 'Test' },
  task: 'detect',
  input: { size: { kind: 'source' }, format: 'gray8' },
  labels: ['person', 'car'],
  parameters: {
    type: 'object',
    properties: {
      threshold: { type: 'number', default: 0.5, minimum: 0.1, maximum: 0.9 },
      classes: { type: 'array', default: ['person'], items: { type: 'string', enum: ['person', 'car'] } },
      count: { type: 'integer', default: 3 },
      fps: { type: 'number', default: 0, minimum: 0, maximum: 25 },
    },
    additionalProperties: false,
  },
  licence: 'Apache-2.0',
  adapter: { kind: 'plugin', file: 'plugin.ts' },
};

test('what is not given takes its default, the common parameters too', () => {
  expect(resolveParameters(manifest, { threshold: 0.7, count: undefined })).toEqual({
    threshold: 0.7,
    classes: ['person'],
    count: 3,
    fps: 0,
    mode: 'freshest',
    maxAge: 10_000,
  });
});

test("an algorithm's own property takes the place of the common one of that name", () => {
  expect(parameterSchema(manifest).properties['fps']).toMatchObject({ default: 0, maximum: 25 });
  expect(Object.keys(parameterSchema(manifest).properties).toSorted()).toEqual(
    ['classes', 'count', 'fps', 'maxAge', 'mode', 'threshold'].toSorted(),
  );
});

test.each([
  [{ treshold: 0.5 }, 'no parameter "treshold"'],
  [{ toString: 1 }, 'no parameter "toString"'],
  [{ threshold: 0.05 }, '"threshold" must be at least 0.1, not 0.05'],
  [{ threshold: 0.95 }, '"threshold" must be at most 0.9'],
  [{ threshold: '0.5' }, '"threshold" must be a number, not "0.5"'],
  [{ threshold: Number.NaN }, '"threshold" must be a number'],
  [{ threshold: null }, '"threshold" must be a number, not null'],
  [{ count: 1.5 }, '"count" must be an integer'],
  [{ classes: 'person' }, '"classes" must be an array'],
  [{ classes: ['dog'] }, '"classes" must be an array out of "person", "car"'],
  [{ classes: [1] }, '"classes" must be an array of strings'],
  [{ mode: 'all' }, '"mode" must be one of "freshest", "every"'],
])('%j is refused with the name of the parameter and the rule', (given, reason) => {
  expect(() => resolveParameters(manifest, given)).toThrow(
    expect.objectContaining({ code: 'PARAMETERS_INVALID', message: expect.stringContaining(reason) }),
  );
});
