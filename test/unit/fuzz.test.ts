import { describe, expect, it } from 'vitest';
import { fuzz } from '../fuzz/run.ts';
import { fuzzTargets } from '../fuzz/targets.ts';

/** The short run; `npm run fuzz` is the long one. */
const INPUTS = 2000;

describe('whatever comes', () => {
  it.each(fuzzTargets.map((target) => [target.name, target] as const))(
    '%s neither crash nor hang, and refuse by named errors',
    async (_, target) => {
      const { inputs } = await fuzz(target, INPUTS);
      expect(inputs).toBeGreaterThanOrEqual(200);
    },
    60_000,
  );
});
