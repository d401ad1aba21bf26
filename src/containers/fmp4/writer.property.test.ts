import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { AccessUnit } from '#media/access-unit.ts';
import { type ReadSample, readSamples } from '../../../test/support/fmp4-reader.ts';
import { aacTrack, h264Track, ntpOfZero, picture, sound } from '../../../test/support/fmp4-units.ts';
import { Fmp4Writer } from './writer.ts';

/** A source as bad as they come: steps of any size, reordering, jitter of capture clocks, sound that comes and goes. */
const step = fc.oneof(
  fc.record({
    kind: fc.constant('video' as const),
    ticks: fc.oneof(fc.integer({ min: 1, max: 9000 }), fc.integer({ min: 1, max: 500_000 })),
    reorder: fc.integer({ min: 0, max: 10_000 }),
    keyframe: fc.boolean(),
    jitter: fc.integer({ min: -5, max: 5 }),
  }),
  fc.record({
    kind: fc.constant('audio' as const),
    ticks: fc.oneof(fc.constant(1024), fc.integer({ min: 1, max: 100_000 })),
    jitter: fc.integer({ min: -3000, max: 30 }),
  }),
);

describe('a writer of fragmented MP4, whatever comes', () => {
  test('never throws, keeps the pictures at their time, steps forward, and never lets sound overlap', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: -20_000, max: 2 ** 34 }),
        fc.array(step, { maxLength: 200 }),
        (start, steps) => {
          const writer = new Fmp4Writer([h264Track, aacTrack]);
          const read: ReadSample[] = [];
          const pictures = new Set<number>();
          let dts = start;
          let heard = 0;
          for (const next of steps) {
            let unit: AccessUnit;
            if (next.kind === 'video') {
              dts += next.ticks;
              const pts = dts + next.reorder;
              pictures.add(pts);
              const ntp = ntpOfZero + pts / 90 + next.jitter;
              unit = picture(pts, { dts, keyframe: next.keyframe, ntp });
            } else {
              heard += next.ticks;
              unit = sound(heard, { ntp: ntpOfZero + dts / 90 + next.jitter });
            }
            writer.write(unit, ({ bytes, kind }) => {
              if (kind !== 'config') read.push(...readSamples(bytes));
            });
          }
          const video = read.filter(({ trackId }) => trackId === 1);
          const audio = read.filter(({ trackId }) => trackId === 2);
          expect(video.every(({ pts }) => pictures.has(pts))).toBe(true);
          expect(video[0]?.sync ?? true).toBe(true);
          expect(video.every(({ dts: at }, i) => i === 0 || at >= video[i - 1]!.dts)).toBe(true);
          const follows = (sample: ReadSample, i: number) => {
            const before = audio[i - 1];
            return !before || before.dts + before.duration <= sample.dts;
          };
          expect(audio.every(follows)).toBe(true);
        },
      ),
      { numRuns: 200 },
    );
  });
});
