import { describe, expect, it } from 'vitest';
import { fuzz } from '../fuzz/run.ts';
import { fuzzTargets } from '../fuzz/targets.ts';

/** The short run; `npm run fuzz` is the long one. */
const INPUTS = 2000;

describe('whatever comes', () => {
  it.each(fuzzTargets.map((target) => [target.name, target] as const))(
    '%s neither crash nor hang, and refuse by named errors',
    async (_, target) => {
      const wanted = INPUTS * (target.share ?? 1);
      expect((await fuzz(target, wanted)).inputs).toBe(wanted);
    },
    60_000,
  );
});
