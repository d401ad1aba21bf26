import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { StreamClock } from './clock-mapping.ts';

const START = 1_790_000_000_000;
const VIDEO = 90_000;
const AUDIO = 48_000;

interface Camera {
  /** Pictures in a second of our clock, where they are stamped as 25. */
  readonly fps?: number;
  /** Ms from capture to arrival of a unit captured at `ms`, by its track; those of one track keep their order. */
  readonly delay: (ms: number, track: 'video' | 'audio', keyframe: boolean) => number;
  readonly audioPpm?: number;
}

interface Unit {
  readonly track: 'video' | 'audio';
  readonly ticks: number;
  readonly captured: number;
  readonly arrives: number;
}

function unitsOf({ fps = 25, delay, audioPpm = 0 }: Camera, seconds: number): Unit[] {
  const units: Unit[] = [];
  let latest = 0;
  for (let i = 0; i < seconds * fps; i++) {
    const captured = (i * 1000) / fps;
    latest = Math.max(latest, captured + delay(captured, 'video', i % 50 === 0));
    units.push({ track: 'video', ticks: (i * VIDEO) / 25, captured, arrives: latest });
  }
  latest = 0;
  for (let i = 0; i < (seconds * AUDIO) / 1024; i++) {
    const captured = (i * 1_024_000) / AUDIO / (1 + audioPpm / 1e6);
    latest = Math.max(latest, captured + delay(captured, 'audio', false));
    units.push({ track: 'audio', ticks: i * 1024, captured, arrives: latest });
  }
  return units.sort((a, b) => a.arrives - b.arrives);
}

/** When the picture's clock is first believed to run at quite another speed than it says, ms; undefined: never. */
function noticed(camera: Camera, seconds: number): number | undefined {
  const clock = new StreamClock();
  for (const { track, ticks, arrives } of unitsOf(camera, seconds)) {
    const [video, audio] = [clock.track(0, VIDEO), clock.track(1, AUDIO)];
    (track === 'video' ? video : audio).ntpAt(ticks, START + arrives);
    if (Math.max(Math.abs(video.skew), Math.abs(audio.skew)) > 0.0006) return arrives;
  }
  return undefined;
}

/** Numbers in 0..1, the same in every run. */
function random(seed: number): () => number {
  let state = seed + 1;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

describe('a picture whose timestamps are not the time', () => {
  it.each([10, 15, 18, 21, 23])('is noticed by the time it is 150 ms late (%i of 25)', (fps) => {
    const late = 1 - fps / 25;
    const at = noticed({ fps, delay: () => 20 }, 10);
    // At least five bins of 150 ms are needed.
    expect(at).toBeLessThanOrEqual(Math.max(150 / late, 950));
  });

  it('is noticed beside sound that the same way delays just as much', () => {
    const stall = (ms: number) => 100 * (1 + Math.sin(ms / 700));
    expect(noticed({ fps: 21, delay: stall }, 10)).toBeLessThan(3000);
  });

  it('is noticed where it comes too fast, once no buffer could be that large', () => {
    const at = noticed({ fps: 30, delay: () => 20 }, 20);
    expect(at).toBeGreaterThan(2500);
    expect(at).toBeLessThan(5000);
  });

  it('is the time again when the publisher keeps up again', () => {
    const clock = new StreamClock();
    const video = clock.track(0, VIDEO);
    let [stamp, now] = [0, 0];
    let heard = 0;
    for (let i = 0; i < 1500; i++) {
      while (heard * (1024 / AUDIO) * 1000 <= now) {
        clock.track(1, AUDIO).ntpAt(heard * 1024, START + (heard * 1024 * 1000) / AUDIO);
        heard++;
      }
      video.ntpAt(stamp, START + now);
      stamp += VIDEO / 25;
      now += i < 400 ? 1000 / 21 : 40;
      if (i === 300) expect(video.skew).toBeCloseTo(25 / 21 - 1, 2);
    }
    expect(Math.abs(video.skew)).toBeLessThan(0.001);
    expect(Math.abs(video.ntpAt(stamp, START + now) - (START + now))).toBeLessThan(20);
  });
});

describe('an ordinary camera is not taken for one whose timestamps are not the time', () => {
  it('whatever its network, its key pictures and its encoder do', () => {
    fc.assert(
      fc.property(
        fc.record({
          seed: fc.nat(1_000_000),
          jitter: fc.integer({ min: 0, max: 100 }),
          common: fc.boolean(),
          keyframe: fc.integer({ min: 0, max: 500 }),
          latency: fc.integer({ min: 0, max: 500 }),
          swell: fc.integer({ min: 0, max: 400 }),
          swellMs: fc.integer({ min: 500, max: 20_000 }),
          stepMs: fc.integer({ min: 0, max: 400 }),
          replay: fc.integer({ min: 0, max: 3000 }),
          audioPpm: fc.integer({ min: -200, max: 200 }),
        }),
        (camera) => {
          // What delays each packet by itself, and not all on one way, is less.
          const numbers = random(camera.seed);
          const shared = Array.from({ length: 61 * 50 }, () => numbers() * camera.jitter);
          const delay = (ms: number, track: 'video' | 'audio', key: boolean) => {
            const jitter = camera.common
              ? (shared[Math.floor(ms / 20)] ?? 0)
              : numbers() * 0.3 * camera.jitter;
            const own = track === 'audio' ? 0 : camera.latency + (key ? camera.keyframe : 0);
            const step = track === 'video' && ms > 30_000 ? camera.stepMs : 0;
            // The network gets slower and faster for all that is sent at one time.
            const sent = ms + own + step;
            const swell = camera.swell * (1 - Math.cos((2 * Math.PI * sent) / camera.swellMs));
            const late = track === 'video' ? Math.max(camera.replay - ms, 0) : 0;
            return Math.max(jitter + swell + own + step, late);
          };
          expect(noticed({ delay, audioPpm: camera.audioPpm }, 60)).toBeUndefined();
        },
      ),
      { seed: 42, numRuns: 100 },
    );
  });

  it('where pictures pause and come back', () => {
    const pause = (ms: number, track: string) =>
      track === 'video' && ms % 10_000 < 2000 ? 2000 - (ms % 10_000) : 10;
    expect(noticed({ delay: pause }, 60)).toBeUndefined();
  });
});
