import { describe, expect, it } from 'vitest';
import { CommonClock } from './common-clock.ts';
import type { ClockSource } from './track-clock.ts';

interface Side {
  readonly source: ClockSource;
  readonly name?: string;
  /** Its clock against ours, and what its units take at least, ms. */
  readonly ahead: number;
  readonly delay?: number;
}

/** Lets both send a unit each 40 ms, and gives the shift at the end of each. */
function run(clock: CommonClock, first: Side, second: Side, fromMs: number, forMs: number): number[] {
  const shifts: number[] = [];
  for (let at = fromMs; at < fromMs + forMs; at += 40) {
    const of = ({ ahead, delay = 0 }: Side) => ({ ntp: at - delay + ahead, now: at });
    clock.observeFirst(of(first), () => first);
    clock.observeSecond(of(second), () => second);
    shifts.push(clock.shiftAt(at)!);
  }
  return shifts;
}

const reported = (ahead: number, delay = 0): Side => ({ source: 'sender-report', ahead, delay });
const arrived = (ahead: number): Side => ({ source: 'arrival', ahead });

describe('one clock for two sources', () => {
  it('adds nothing where both say by reports when they captured, however long either way takes', () => {
    expect(new Set(run(new CommonClock(), reported(0, 400), reported(0, 20), 0, 20_000))).toEqual(
      new Set([0]),
    );
    expect(new Set(run(new CommonClock(), reported(-9000), reported(-9300), 0, 20_000))).toEqual(
      new Set([0]),
    );
  });

  it('adds nothing where both are known by arrival, which is our own clock', () => {
    expect(new Set(run(new CommonClock(), arrived(0), arrived(-8), 0, 5000))).toEqual(new Set([0]));
  });

  it('goes by arrival where the clocks show another time, or only one has reports', () => {
    expect(run(new CommonClock(), reported(3_600_000), reported(0), 0, 1000).at(-1)).toBe(3_600_000);
    expect(run(new CommonClock(), reported(250), arrived(0), 0, 1000).at(-1)).toBe(250);
  });

  it('is moved without a jump that could be heard', () => {
    const clock = new CommonClock();
    expect(run(clock, reported(300), arrived(0), 0, 1000).at(-1)).toBe(300);
    // The second source has reports by now, and its own clock moves as slowly as ours.
    const shifts = run(clock, reported(300), reported(300), 1000, 40_000);
    const steps = shifts.slice(1).map((shift, n) => shift - shifts[n]!);
    expect(Math.min(...steps)).toBeGreaterThanOrEqual(-0.4);
    expect(Math.max(...steps)).toBeLessThanOrEqual(0);
    expect(shifts.at(-1)).toBe(0);
  });

  it('begins anew with another source', () => {
    const clock = new CommonClock();
    run(clock, reported(0), reported(3_600_000), 0, 1000);
    clock.restartSecond(false);
    expect(run(clock, reported(0), reported(0), 1000, 1000).at(-1)).toBe(0);
    clock.restartFirst(false);
    expect(run(clock, reported(-5000), reported(0), 2000, 1000).at(-1)).toBe(-5000);
  });

  it('is one clock where the reports name the same one, however far apart they come, and whatever they show', () => {
    const named = (side: Side): Side => ({ ...side, name: 'one' });
    const far = [named(reported(0, 9000)), named(reported(0))] as const;
    expect(new Set(run(new CommonClock(), ...far, 0, 5000))).toEqual(new Set([0]));
    const clock = new CommonClock();
    clock.restartFirst(true);
    clock.restartSecond(true);
    expect(run(clock, named(reported(60, 1500)), named(reported(60)), 0, 1000).at(-1)).toBe(0);
    expect(run(new CommonClock(), far[0], { ...far[1], name: 'two' }, 0, 1000).at(-1)).toBe(-9000);
  });

  it('does not believe reports of this machine that show captures after their arrival', () => {
    const clock = new CommonClock();
    clock.restartFirst(true);
    clock.restartSecond(true);
    expect(run(clock, reported(27), reported(84), 0, 1000).at(-1)).toBe(-57);
    // Elsewhere the clock may be ahead of ours.
    expect(run(new CommonClock(), reported(27), reported(84), 0, 1000).at(-1)).toBe(0);
  });
});
