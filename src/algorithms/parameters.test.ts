import { expect, test } from 'vitest';
import { manifest } from '../../test/support/manifest.ts';
import { parameterSchema, resolveParameters } from './parameters.ts';

const cars = manifest({
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
});

test('what is not given takes its default, the common parameters too', () => {
  expect(resolveParameters(cars, { threshold: 0.7, count: undefined })).toEqual({
    threshold: 0.7,
    classes: ['person'],
    count: 3,
    fps: 0,
    mode: 'freshest',
    maxAge: 10_000,
  });
});

test("an algorithm's own property takes the place of the common one of that name", () => {
  expect(parameterSchema(cars).properties['fps']).toMatchObject({ default: 0, maximum: 25 });
  expect(Object.keys(parameterSchema(cars).properties).toSorted()).toEqual(
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
  expect(() => resolveParameters(cars, given)).toThrow(
    expect.objectContaining({ code: 'PARAMETERS_INVALID', message: expect.stringContaining(reason) }),
  );
});
