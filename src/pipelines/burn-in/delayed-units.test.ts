import { describe, expect, it } from 'vitest';
import type { AccessUnit } from '#media/access-unit.ts';
import { VirtualClock } from '#util/clock.ts';
import { video } from '../../../test/support/units.ts';
import { DelayedUnits } from './delayed-units.ts';
import { ResultWait } from './result-wait.ts';

const FRAME_MS = 40;
const MAX_MS = 5000;

/** Random numbers 0..1 that are the same every time. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

interface Left {
  readonly pts: number;
  /** From capture to leaving, ms. */
  readonly latency: number;
}

/** A camera of 25 pictures a second and an algorithm that always takes the freshest one, on virtual time. */
class Trial {
  readonly clock = new VirtualClock();
  readonly wait = new ResultWait(MAX_MS);
  readonly left: Left[] = [];
  readonly units = new DelayedUnits(this.wait, MAX_MS, this.clock, () => this.#take());
  readonly #began = this.clock.now();
  #captured = 0;
  #lastResult = 0;
  #lastArrival = 0;

  /** @param jitterMs what the network adds at most */
  run(seconds: number, takesMs: (at: number) => number, jitterMs = 0): void {
    const noise = random(7);
    const end = this.clock.now() + seconds * 1000;
    let free = this.clock.now();
    while (this.clock.now() < end) {
      const n = this.#captured++;
      const pts = n * 3600;
      const ntp = this.#began + n * FRAME_MS;
      this.clock.advance(Math.max(0, ntp - this.clock.now()));
      // Nothing overtakes on the way.
      const arrival = Math.max(this.#lastArrival, this.clock.now() + noise() * jitterMs);
      this.#lastArrival = arrival;
      this.clock.after(arrival - this.clock.now(), () => {
        this.units.push(unit(pts, ntp));
        this.#take();
      });
      if (arrival < free) continue;
      free = arrival + takesMs(this.clock.now() - this.#began);
      this.clock.after(free - this.clock.now(), () => {
        const interval = (pts - this.#lastResult) / 90;
        this.#lastResult = pts;
        this.wait.add(this.clock.now(), this.units.arrivalOf(ntp), interval);
      });
    }
  }

  #take(): void {
    for (let taken = this.units.take(); taken; taken = this.units.take()) {
      const { pts, ntp } = taken.unit;
      this.left.push({ pts, latency: this.clock.now() - ntp });
    }
  }
}

function unit(pts: number, ntp: number): AccessUnit {
  return { track: video, pts, dts: pts, keyframe: pts % 180_000 === 0, ntp, payload: [Buffer.alloc(4000)] };
}

function spread(left: readonly Left[]): number {
  const all = left.map(({ latency }) => latency);
  return Math.max(...all) - Math.min(...all);
}

describe('pictures that wait for their results', () => {
  it.each([
    { takes: 0, most: 200 },
    { takes: 100, most: 500 },
    { takes: 1000, most: 2200 },
  ])(
    'are as late after five minutes as after twenty seconds, all of them, with an algorithm that takes $takes ms',
    ({ takes, most }) => {
      const trial = new Trial();
      const noise = random(3);
      trial.run(300, () => takes * (0.9 + 0.2 * noise()), 15);
      const { left } = trial;
      for (const [n, { pts }] of left.entries()) expect(pts).toBe(n * 3600);
      const settled = left.slice(20 * 25);
      expect(settled.length).toBeGreaterThan(270 * 25);
      expect(spread(settled)).toBeLessThanOrEqual(40);
      expect(Math.max(...settled.map(({ latency }) => latency))).toBeLessThan(most);
      // And late enough for nearly every result.
      expect(Math.min(...settled.map(({ latency }) => latency))).toBeGreaterThan(takes * 1.1);
    },
  );

  it('wait longer at once where the algorithm becomes slower, and shorter by and by where it becomes faster', () => {
    const trial = new Trial();
    trial.run(120, (at) => (at > 20_000 && at < 40_000 ? 800 : 100));
    const at = (seconds: number) => trial.left[seconds * 25]!.latency;
    expect(at(18)).toBeLessThan(500);
    expect(at(35)).toBeGreaterThan(900);
    expect(at(110)).toBeLessThan(500);
    for (const [n, { pts }] of trial.left.entries()) expect(pts).toBe(n * 3600);
    // What is behind is made up for slowly: nobody sees pictures rush by.
    for (const [n, { latency }] of trial.left.entries()) {
      const before = trial.left[n - 1]?.latency ?? latency;
      expect(before - latency).toBeLessThan(10);
    }
  });

  it('wait no longer than they may for an algorithm that is slower than that', () => {
    const trial = new Trial();
    trial.run(60, () => 9000);
    const settled = trial.left.slice(30 * 25);
    expect(Math.max(...settled.map(({ latency }) => latency))).toBeLessThanOrEqual(MAX_MS + 1);
    expect(spread(settled)).toBeLessThanOrEqual(1);
  });

  it('do not leave before the first result is there, and go without after five seconds', () => {
    const trial = new Trial();
    trial.run(4.9, () => 60_000);
    expect(trial.left).toEqual([]);
    trial.run(3, () => 60_000);
    expect(trial.left.length).toBeGreaterThan(100);
  });

  it('leave as they would have come where the network held some of them back', () => {
    const trial = new Trial();
    trial.run(60, () => 300, 200);
    expect(spread(trial.left.slice(30 * 25))).toBeLessThanOrEqual(40);
  });
});
