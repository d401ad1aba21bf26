import fc from 'fast-check';
import { expect, test } from 'vitest';
import { assign } from './assignment.ts';

test('the cheapest whole is chosen, not the cheapest pair', () => {
  expect([
    ...assign(
      [
        [0.1, 0.2],
        [0.2, 0.9],
      ],
      1,
    ),
  ]).toEqual([1, 0]);
});

test('a pair at or over the limit stays apart', () => {
  expect([...assign([[0.4, 0.5]], 0.4)]).toEqual([-1]);
  expect([...assign([[Number.POSITIVE_INFINITY, 0.5]], 1)]).toEqual([1]);
});

test('nothing to assign gives nothing', () => {
  expect([...assign([], 1)]).toEqual([]);
  expect([...assign([[], []], 1)]).toEqual([-1, -1]);
});

interface Optimum {
  readonly pairs: number;
  readonly cost: number;
}

/** Tries everything: most pairs first, then the least cost. */
function best(
  costs: readonly (readonly number[])[],
  limit: number,
  row = 0,
  used = new Set<number>(),
): Optimum {
  if (row === costs.length) return { pairs: 0, cost: 0 };
  let found = best(costs, limit, row + 1, used);
  for (const [column, cost] of (costs[row] ?? []).entries()) {
    if (used.has(column) || cost >= limit) continue;
    const rest = best(costs, limit, row + 1, new Set([...used, column]));
    const candidate = { pairs: rest.pairs + 1, cost: rest.cost + cost };
    if (candidate.pairs > found.pairs || (candidate.pairs === found.pairs && candidate.cost < found.cost)) {
      found = candidate;
    }
  }
  return found;
}

test('it is as good as trying everything', () => {
  const matrix = fc
    .tuple(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 5 }))
    .chain(([rows, columns]) =>
      fc.array(
        fc.array(fc.double({ min: 0, max: 1.5, noNaN: true }), { minLength: columns, maxLength: columns }),
        {
          minLength: rows,
          maxLength: rows,
        },
      ),
    );
  fc.assert(
    fc.property(matrix, (costs) => {
      const columns = [...assign(costs, 1)];
      const taken = columns.filter((column) => column >= 0);
      expect(new Set(taken).size).toBe(taken.length);
      const cost = columns.reduce((sum, column, row) => sum + (costs[row]?.[column] ?? 0), 0);
      const optimum = best(costs, 1);
      expect(taken.length).toBe(optimum.pairs);
      expect(cost).toBeCloseTo(optimum.cost, 9);
    }),
    { numRuns: 300 },
  );
});
