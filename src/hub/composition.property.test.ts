import fc from 'fast-check';
import { expect, it } from 'vitest';
import { ComposedTrial } from '../../test/support/composed.ts';

/** What happens to one of the two publishers, after so many ms. */
const event = fc.record({
  afterMs: fc.integer({ min: 0, max: 6000 }),
  which: fc.constantFrom<'v' | 'a'>('v', 'a'),
  /** It is away so long; longer than readers are held, the stream has ended meanwhile. */
  awayMs: fc.oneof(fc.integer({ min: 0, max: 3000 }), fc.constant(16_000)),
  faults: fc.record({
    delayMs: fc.integer({ min: 0, max: 3000 }),
    jitterMs: fc.integer({ min: 0, max: 100 }),
    keptMs: fc.integer({ min: 0, max: 4000 }),
    ptsSeconds: fc.integer({ min: -100_000, max: 100_000 }),
  }),
});

it('a merge is in step, goes forward and holds no more than it may, whatever happens to its parts', () => {
  fc.assert(
    fc.property(fc.array(event, { minLength: 1, maxLength: 8 }), (events) => {
      const trial = new ComposedTrial();
      const parts = [
        { stream: 'v', kind: 'video' },
        { stream: 'a', kind: 'audio' },
      ] as const;
      const composition = trial.compose({ parts, holdMs: 4000, holdBytes: 30_000 });
      const kinds = { v: 'video', a: 'audio' } as const;
      const kill = { v: trial.publish('v', 'video'), a: trial.publish('a', 'audio') };
      const pass = (ms: number) => {
        for (let left = ms; left > 0; left -= 500) {
          trial.advance(Math.min(left, 500));
          const { waiting } = composition.status;
          expect(waiting.ms).toBeLessThanOrEqual(4000);
          expect(waiting.bytes).toBeLessThanOrEqual(30_000);
        }
      };
      pass(2000);
      for (const { afterMs, which, awayMs, faults } of events) {
        pass(afterMs);
        kill[which]();
        pass(awayMs);
        kill[which] = trial.publish(which, kinds[which], faults);
      }
      pass(12_000);
      for (const kind of ['video', 'audio']) {
        const units = trial.seen.filter((one) => one.kind === kind).map(({ unit }) => unit);
        expect(units.every(({ dts }, n) => n === 0 || dts > units[n - 1]!.dts)).toBe(true);
        expect(units.every(({ ntp }, n) => n === 0 || ntp > units[n - 1]!.ntp)).toBe(true);
        expect(trial.count(kind, trial.ms - 5000)).toBeGreaterThan(kind === 'video' ? 70 : 150);
      }
      // The reports of all are of one time, so nothing may ever be off, however short the time since it came.
      expect(trial.skewNearby()).toBeLessThan(5);
      expect(trial.disorder(trial.ms - 5000)).toBeLessThanOrEqual(200);
      void composition.close('The test is over.');
      trial.hub.close('The test is over.');
      expect(trial.clock.pending).toBeLessThanOrEqual(2);
    }),
    { numRuns: 60, seed: 5 },
  );
});
