import { describe, expect, it } from 'vitest';
import { LiveEdge, type PlaybackAction } from './live-edge.ts';

/** A media element and a stream on virtual time: media comes in portions, playback follows the actions. */
class Simulation {
  readonly edge: LiveEdge;
  readonly actions: PlaybackAction[] = [];
  now = 0;
  start: number;
  end: number;
  currentTime = 0;
  rate = 1;
  playing = false;
  portionMs = 40;
  media = true;
  #untilPortion = 0;

  constructor(wanted: number, start = 1_000) {
    this.edge = new LiveEdge(wanted);
    this.start = start;
    this.end = start;
  }

  get latency(): number {
    return this.edge.latency ?? Number.NaN;
  }

  run(ms: number): this {
    for (const until = this.now + ms; this.now < until; this.now += 10) {
      this.#untilPortion -= 10;
      if (this.media && this.#untilPortion <= 0) {
        this.end += this.portionMs / 1000;
        this.#untilPortion = this.portionMs;
        this.edge.appended(this.now, this.end);
      }
      if (this.playing) this.currentTime = Math.min(this.end, this.currentTime + (this.rate * 10) / 1000);
      if (this.now % 100 === 0) this.apply(this.edge.update(this.sample()));
    }
    return this;
  }

  sample() {
    const ranges = this.end > this.start ? [[this.start, this.end] as const] : [];
    return { now: this.now, ranges, currentTime: this.currentTime };
  }

  apply(action: PlaybackAction): void {
    if (action.seek === undefined && action.rate === undefined) return;
    this.actions.push(action);
    if (action.seek !== undefined) {
      this.currentTime = action.seek;
      this.playing = true;
    }
    if (action.rate !== undefined) this.rate = action.rate;
  }

  get seeks(): number {
    return this.actions.filter(({ seek }) => seek !== undefined).length;
  }
}

describe('LiveEdge', () => {
  it('starts by itself on a timeline that begins anywhere, once there is enough', () => {
    const play = new Simulation(0.3, 47_000);
    play.run(200);
    expect(play.playing).toBe(false);
    play.run(400);
    expect(play.playing).toBe(true);
    expect(play.currentTime).toBeGreaterThan(47_000);
  });

  it('keeps the wanted distance without touching the rate when media comes evenly', () => {
    const play = new Simulation(0.3).run(20_000);
    expect(play.latency).toBeCloseTo(0.3, 1);
    expect(play.actions).toHaveLength(1);
  });

  it.each([
    ['where the one before ended', 0],
    ['after the time that was lost', 1.2],
  ])('does not take the wait for another publisher for uneven arrival: it goes on %s', (_how, gap) => {
    const play = new Simulation(0.3).run(5_000);
    play.media = false;
    play.run(1_200);
    play.edge.interrupted();
    play.end += gap;
    play.media = true;
    play.run(3_000);
    expect(play.edge.target).toBeLessThan(0.6);
  });

  it('takes the distance that uneven arrival needs, and then leaves the rate alone', () => {
    const play = new Simulation(0.15);
    play.portionMs = 400;
    play.run(20_000);
    expect(play.latency).toBeGreaterThan(0.45);
    const before = play.actions.length;
    play.run(20_000);
    expect(play.actions.length - before).toBeLessThanOrEqual(2);
  });

  it('comes back from a little too far behind by a rate of at most 1.1, without a jump', () => {
    const play = new Simulation(0.3).run(5_000);
    play.currentTime -= 1;
    play.run(20_000);
    expect(play.latency).toBeLessThan(0.35);
    expect(play.seeks).toBe(1);
    expect(Math.max(...play.actions.map(({ rate }) => rate ?? 1))).toBeLessThanOrEqual(1.1);
    expect(play.rate).toBe(1);
  });

  it('comes back from as little as a twentieth of a second where media comes evenly', () => {
    const play = new Simulation(0.2).run(5_000);
    play.currentTime -= 0.1;
    play.run(6_000);
    expect(play.latency).toBeLessThan(0.25);
    expect(Math.max(...play.actions.map(({ rate }) => rate ?? 1))).toBeLessThanOrEqual(1.03);
    expect(play.rate).toBe(1);
  });

  it('does not run after an edge that is not known better than by a tenth of a second', () => {
    const play = new Simulation(0.15);
    play.portionMs = 400;
    play.run(20_000);
    const before = play.actions.length;
    play.currentTime -= 0.1;
    play.run(6_000);
    expect(play.actions).toHaveLength(before);
  });

  it('jumps when it is more than three seconds behind', () => {
    const play = new Simulation(0.3).run(10_000);
    play.currentTime -= 4;
    play.run(200);
    expect(play.seeks).toBe(2);
    expect(play.latency).toBeCloseTo(0.3, 1);
  });

  it('slows down, by 5 % at most, when a larger distance is wanted', () => {
    const play = new Simulation(0.3).run(5_000);
    play.edge.wanted = 0.8;
    play.run(14_000);
    expect(play.latency).toBeGreaterThan(0.74);
    expect(play.seeks).toBe(1);
    expect(Math.min(...play.actions.map(({ rate }) => rate ?? 1))).toBeGreaterThanOrEqual(0.95);
  });

  it('goes back into the buffer when the wanted distance is much larger', () => {
    const play = new Simulation(0.3).run(10_000);
    play.edge.wanted = 2.3;
    play.run(500);
    expect(play.seeks).toBe(2);
    expect(play.latency).toBeCloseTo(2.3, 1);
  });

  it('settles at once when the viewer changes the mode', () => {
    const play = new Simulation(0.3).run(10_000);
    play.edge.wanted = 0.9;
    play.apply(play.edge.settle(play.sample()));
    play.run(300);
    expect(play.latency).toBeCloseTo(0.9, 1);
  });

  it('jumps over a gap', () => {
    const edge = new LiveEdge(0.3);
    edge.appended(0, 101);
    expect(edge.update({ now: 0, ranges: [[100, 101]], currentTime: 0 }).seek).toBeCloseTo(100.7);
    const ranges = [
      [100, 101],
      [101.5, 103],
    ] as const;
    edge.appended(1_000, 103);
    expect(edge.update({ now: 1_000, ranges, currentTime: 101.2 })).toEqual({});
    const { seek } = edge.update({ now: 1_300, ranges, currentTime: 101.2 });
    expect(seek).toBeGreaterThan(101.5);
  });

  it('goes where the media is when the timeline moved away under the playhead', () => {
    const edge = new LiveEdge(0.3);
    edge.appended(0, 101);
    edge.update({ now: 0, ranges: [[100, 101]], currentTime: 0 });
    edge.appended(500, 6);
    edge.update({ now: 500, ranges: [[4, 6]], currentTime: 100.9 });
    const { seek } = edge.update({ now: 900, ranges: [[4, 6]], currentTime: 100.9 });
    expect(seek).toBeGreaterThanOrEqual(4);
    expect(seek).toBeLessThanOrEqual(6);
  });

  it('waits at the end of the buffer instead of jumping about when media stops', () => {
    const play = new Simulation(0.3).run(5_000);
    play.media = false;
    play.run(10_000);
    expect(play.seeks).toBe(1);
    play.media = true;
    play.run(30_000);
    expect(play.latency).toBeLessThan(1);
  });

  it('keeps more distance after stalls, and less again after a while without', () => {
    const edge = new LiveEdge(0.1);
    const sample = (now: number) => ({ now, ranges: [[0, 100]] as const, currentTime: 99.9 });
    edge.appended(0, 100);
    edge.update(sample(0));
    const before = edge.target;
    edge.stalled(1_000);
    edge.stalled(1_100);
    expect(edge.target - before).toBeCloseTo(0.08);
    edge.update(sample(10_000));
    expect(edge.target).toBeGreaterThan(before);
    edge.update(sample(60_000));
    expect(edge.target).toBeCloseTo(before);
  });
});
