import { expect, test } from 'vitest';
import { checkFindings } from './plugin.ts';

test('findings of the right form are passed on as they are', () => {
  const findings = { objects: [{ label: 'a', score: 1, box: [0, 0, 1, 1] }], state: 'calm' };
  expect(checkFindings(findings)).toBe(findings);
});

test.each([
  [undefined, 'objects: […]'],
  [{ objects: 'none' }, 'objects: […]'],
  [{ objects: [null] }, 'objects[0].label'],
  [{ objects: [{ label: 'a', score: 80, box: [0, 0, 1, 1] }] }, 'objects[0].score'],
  [{ objects: [{ label: 'a', score: 1, box: [0, 0, 1] }] }, 'objects[0].box'],
  [{ objects: [{ label: 'a', score: 1, box: [0, 0, 1, Number.NaN] }] }, 'objects[0].box'],
])('%j is refused with the place of the mistake', (findings, place) => {
  expect(() => checkFindings(findings)).toThrow(place);
});
