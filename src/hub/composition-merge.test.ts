import { describe, expect, it } from 'vitest';
import { ComposedTrial, type PublisherFaults } from '../../test/support/composed.ts';
import { audio, picture, video } from '../../test/support/units.ts';
import type { CompositionPart } from './composition.ts';

const both: readonly CompositionPart[] = [
  { stream: 'v', kind: 'video' },
  { stream: 'a', kind: 'audio' },
];
/** Ms between the picture and the sound of one moment that nobody hears. */
const LIMIT = 40;

/** A merge of both that ran for so long; the sound begins `soundMs` after the picture. */
function merged(pictures: PublisherFaults, sounds: PublisherFaults, { soundMs = 0, forMs = 20_000 } = {}) {
  const trial = new ComposedTrial();
  const composition = trial.compose({ parts: both });
  if (soundMs < 0) trial.publish('a', 'audio', sounds);
  else trial.publish('v', 'video', pictures);
  trial.advance(Math.abs(soundMs));
  if (soundMs < 0) trial.publish('v', 'video', pictures);
  else trial.publish('a', 'audio', sounds);
  trial.advance(forMs);
  return { trial, composition };
}

describe('a merge of two streams', () => {
  it.each<[string, PublisherFaults, PublisherFaults, { soundMs?: number }?]>([
    ['come at once', {}, {}],
    ['when the picture takes 1 s longer', { delayMs: 1000 }, {}],
    [
      'when the picture takes 3 s longer, and the sound is there first',
      { delayMs: 3000 },
      {},
      { soundMs: -4000 },
    ],
    ['when the sound takes 2.5 s longer', {}, { delayMs: 2500 }],
    ['when the sound begins 5 s later', {}, {}, { soundMs: 5000 }],
    ['when the sound begins first', {}, {}, { soundMs: -5000 }],
    ['when both begin with what was kept for them', { keptMs: 1900, delayMs: 300 }, { keptMs: 900 }],
    ['when both ways jitter', { delayMs: 500, jitterMs: 80 }, { delayMs: 10, jitterMs: 30 }],
    [
      'when their timestamps have nothing in common',
      { ptsSeconds: 40_000 },
      { ptsSeconds: -7, delayMs: 1500 },
    ],
    ['when both clocks are an hour ahead', { aheadMs: 3_600_000, delayMs: 1200 }, { aheadMs: 3_600_000 }],
    ['when one clock is an hour wrong: by arrival', { aheadMs: 3_600_000 }, { delayMs: 10 }],
    ['when neither has reports: by arrival', { arrival: true, delayMs: 20 }, { arrival: true, delayMs: 5 }],
    ['when only one has reports: by arrival', { delayMs: 20 }, { arrival: true, delayMs: 5 }],
  ])('is in step and in order %s', (_, pictures, sounds, when) => {
    const { trial, composition } = merged(pictures, sounds, when);
    const from = trial.ms - 12_000;
    expect(trial.skew(from)).toBeLessThanOrEqual(LIMIT);
    expect(trial.disorder(from)).toBeLessThanOrEqual(60);
    expect(trial.count('video', from)).toBeGreaterThan(295);
    expect(trial.count('audio', from)).toBeGreaterThan(555);
    expect(composition.status.state).toBe('running');
    const times = (kind: string) => trial.seen.filter((one) => one.kind === kind).map(({ unit }) => unit.dts);
    for (const kind of ['video', 'audio']) {
      expect(times(kind).every((dts, n, all) => n === 0 || dts > all[n - 1]!)).toBe(true);
    }
  });

  it('leaves with the delay of the slower one and no more than a picture later', () => {
    const { trial } = merged({ delayMs: 1500 }, {});
    expect(trial.latency('audio', 5000)[0]).toBeGreaterThan(1450);
    expect(trial.latency('audio', 5000)[1]).toBeLessThan(1560);
    expect(trial.latency('video', 5000)).toEqual([1500, expect.closeTo(1500, -1)]);
  });

  it.each([true, false])('does not drift apart when one clock is 200 ppm fast, by arrival: %s', (arrival) => {
    const { trial } = merged({ arrival }, { arrival, ppm: 200 }, { forMs: 600_000 });
    expect(trial.skew(1000)).toBeLessThanOrEqual(LIMIT);
    expect(trial.disorder(1000)).toBeLessThanOrEqual(LIMIT);
  });

  it.each<[string, 'v' | 'a', PublisherFaults, PublisherFaults]>([
    ['the sound, with the same delay', 'a', { delayMs: 20 }, { delayMs: 20 }],
    ['the sound, and it comes 2 s later from then on', 'a', {}, { delayMs: 2000 }],
    ['the sound, and it comes 2 s sooner from then on', 'a', { delayMs: 2000 }, {}],
    ['the picture, with the same delay', 'v', { delayMs: 1500 }, { delayMs: 1500 }],
    ['the picture, and it comes 2 s later from then on', 'v', {}, { delayMs: 2000 }],
    ['the picture, and it comes 2 s sooner from then on', 'v', { delayMs: 2000 }, {}],
    ['the picture, which begins with what was kept', 'v', { delayMs: 100 }, { delayMs: 100, keptMs: 4000 }],
    ['the picture, with a clock that is an hour wrong from then on', 'v', {}, { aheadMs: 3_600_000 }],
    ['the sound, with a clock that is an hour wrong from then on', 'a', {}, { aheadMs: -3_600_000 }],
  ])('goes on while one is restarted, and is in step again: %s', (_, which, before, after) => {
    const trial = new ComposedTrial();
    trial.compose({ parts: both });
    const kind = which === 'v' ? 'video' : 'audio';
    const kill = trial.publish(which, kind, before);
    trial.publish(which === 'v' ? 'a' : 'v', which === 'v' ? 'audio' : 'video');
    trial.advance(10_000);
    kill();
    trial.advance(3000);
    trial.publish(which, kind, { ...after, ptsSeconds: 123 });
    trial.advance(17_000);
    // Nobody waits for the one that is away longer than before.
    const other = which === 'v' ? 'audio' : 'video';
    const rate = which === 'v' ? 1000 / (1024 / 48) : 25;
    expect(trial.count(other, 10_500, 13_000)).toBeGreaterThanOrEqual(Math.floor(2.5 * rate) - 3);
    expect(trial.count(kind, 18_000)).toBeGreaterThan(kind === 'video' ? 290 : 550);
    expect(trial.skew(14_000)).toBeLessThanOrEqual(LIMIT);
    expect(trial.disorder(18_000)).toBeLessThanOrEqual(60);
    // What went on was not moved.
    const errors = trial.seen.filter((one) => one.kind === other).map(({ error }) => error);
    expect(Math.max(...errors) - Math.min(...errors)).toBeLessThan(2);
    expect(new Set(trial.seen.map(({ unit }) => unit.track.id)).size).toBe(2);
  });

  it('survives timestamps that step back', () => {
    const trial = new ComposedTrial();
    trial.compose({ parts: both });
    trial.publish('a', 'audio');
    const publication = trial.publication('v', [video]);
    const write = (n: number, shift = 0) => {
      const unit = picture(n, { start: trial.began });
      publication.write({ ...unit, pts: unit.pts - shift, dts: unit.dts - shift });
      trial.advance(40);
    };
    for (let n = 0; n < 100; n++) write(n);
    for (let n = 100; n < 300; n++) write(n, 90_000 * 3);
    const times = trial.seen.filter(({ kind }) => kind === 'video').map(({ unit }) => unit);
    expect(times.length).toBeGreaterThan(290);
    expect(times.every(({ dts }, n) => n === 0 || dts > times[n - 1]!.dts)).toBe(true);
    const far = times.filter(({ dts, ntp }) => Math.abs(dts / 90 - (ntp - trial.began)) > LIMIT);
    expect(far).toEqual([]);
  });

  it('moves one of them by what somebody wants', () => {
    const trial = new ComposedTrial();
    trial.compose({ parts: [both[0]!, { ...both[1]!, offsetMs: 120 }] });
    trial.publish('v', 'video');
    trial.publish('a', 'audio');
    trial.advance(5000);
    const errors = (kind: string) => trial.seen.filter((one) => one.kind === kind).map(({ error }) => error);
    expect(new Set(errors('video'))).toEqual(new Set([0]));
    for (const error of errors('audio')) expect(error).toBeCloseTo(120, 3);
  });

  it('holds what comes sooner for so long and so many bytes, and then lets it go on, out of order', () => {
    const trial = new ComposedTrial();
    const composition = trial.compose({ parts: both, holdMs: 1000 });
    trial.publish('v', 'video', { delayMs: 4000, aheadMs: 0 });
    trial.publish('a', 'audio');
    trial.advance(20_000);
    expect(composition.status.waiting.ms).toBeLessThanOrEqual(1000);
    expect(trial.latency('audio', 10_000)[1]).toBeLessThanOrEqual(1050);
    expect(trial.latency('video', 10_000)[1]).toBeLessThanOrEqual(4050);
    expect(composition.status.parts[0]!.late).toBeGreaterThan(100);

    const small = new ComposedTrial();
    const other = small.compose({ parts: both, holdBytes: 5000 });
    small.publish('v', 'video', { delayMs: 4000 });
    small.publish('a', 'audio');
    small.advance(20_000);
    expect(other.status.waiting.bytes).toBeLessThanOrEqual(5000);
    // Nothing was dropped for it.
    expect(small.count('audio', 10_000)).toBeGreaterThan(460);
  });

  it('does not wait for a track that never brings anything', () => {
    const trial = new ComposedTrial();
    trial.compose({ parts: both });
    trial.publication('a', [audio]);
    trial.publish('v', 'video');
    trial.advance(10_000);
    expect(trial.latency('video', 4000)[1]).toBeLessThanOrEqual(1);
  });

  it('does not let sound wait for a picture that comes once in two seconds', () => {
    const trial = new ComposedTrial();
    trial.compose({ parts: both });
    const publication = trial.publication('v', [video]);
    trial.publish('a', 'audio', { delayMs: 20 });
    for (let n = 0; n < 500; n++) {
      if (n % 50 === 0) publication.write(picture(n, { start: trial.began }));
      trial.advance(40);
    }
    expect(trial.latency('audio', 5000)[1]).toBeLessThanOrEqual(80);
  });
});
