import { describe, expect, it } from 'vitest';
import { measureSkew } from '../support/av-skew.ts';
import { clip, expectInStep, type Faults, jitter, LIMIT, reports } from '../support/clock-faults.ts';
import type { ReportFaults } from '../support/fault-camera/options.ts';

/** Sound and picture as readers of fMP4 and RTSP play them, against the camera's truth, on virtual time. */

describe('sound and picture stay within 20 ms when sender reports', () => {
  const shifted = { audioShiftMs: 2500 };
  it.each<[string, Faults]>([
    ['come first after 12 s', { ...jitter, ...reports({ ...shifted, firstMs: 12_000 }, { audioPpm: 200 }) }],
    [
      'show a clock that is an hour slow',
      { ...jitter, ...reports({ ...shifted, wallOffsetMs: -3_600_000 }) },
    ],
    ['do both', { ...jitter, ...reports({ ...shifted, firstMs: 12_000, wallOffsetMs: -3_600_000 }) }],
    ['arrive 3 s late', reports({ ...shifted, delayMs: 3000 }, { audioPpm: 200 })],
    ['are off by up to 3 ms', reports({ ...shifted, jitterMs: 3 }, { audioPpm: 200 })],
    ['have no wall clock now and then', reports({ falseShare: 0.2, falseKind: 'zero-ntp' })],
    ['have no RTP time now and then', reports({ falseShare: 0.2, falseKind: 'zero-rtp' })],
    ['say anything now and then', reports({ falseShare: 0.2, falseKind: 'random' })],
    ['jump by 300 ms', reports({ ...shifted, wallJumps: [{ atMs: 61_000, byMs: 300 }] })],
    [
      'jump by seconds, forth and back',
      reports({
        ...shifted,
        wallJumps: [
          { atMs: 61_000, byMs: 3000 },
          { atMs: 121_000, byMs: -7000 },
        ],
      }),
    ],
    ['jump by an hour', reports({ ...shifted, wallJumps: [{ atMs: 61_000, byMs: 3_600_000 }] })],
  ])('%s', (_, faults) => {
    expectInStep(measureSkew({ clip, ...faults }, 5));
  });

  it('jitter, as far as their own jitter lets them', () => {
    const { fmp4, rtsp } = measureSkew({ clip, ...reports({ jitterMs: 40 }, { audioPpm: 200 }) }, 20);
    expect(Math.abs(fmp4.worst)).toBeLessThan(80);
    expect(Math.abs(rtsp.worst)).toBeLessThan(80);
  });

  it.each([2, 3, 4, 5, 6, 7, 8, 9, 10])('are off by seconds now and then (%i)', (seed) => {
    expectInStep(measureSkew({ clip, seed, ...reports({ falseShare: 0.2, falseKind: 'off' }) }, 3));
  });

  it.each<[string, NonNullable<ReportFaults['lies']>]>([
    ['of the picture lie', { video: [5000] }],
    ['of the picture lie by a little more than an encoder takes', { video: [700] }],
    ['of the sound lie', { audio: [-3000] }],
    ['of both lie', { video: [5000], audio: [-700] }],
    ['and second ones of the picture lie', { video: [5000, -2000] }],
    ['and second ones of both lie', { video: [5000, -2000], audio: [-4000, 9000] }],
  ])('at first %s', (_, lies) => {
    for (const audioShiftMs of [0, 2500])
      expectInStep(measureSkew({ clip, ...reports({ lies, audioShiftMs }) }, 2));
  });

  // Nothing tells such a lie from a camera that encodes the picture so much longer than the sound.
  it('lie at first by less than encoders take: until the second report, and the slew after it', () => {
    const lying = { clip, ...reports({ lies: { video: [400] } }) };
    const at = (ms: number) => Math.abs(measureSkew(lying, 1, ms).rtsp.worst);
    expect(at(0)).toBeLessThanOrEqual(401);
    expect(at(25_000)).toBeLessThan(220);
    expect(at(46_000)).toBeLessThanOrEqual(LIMIT);
    const slewed = { clip, ...reports({ lies: { video: [400] }, firstMs: 2000 }) };
    expect(Math.abs(measureSkew(slewed, 1).rtsp.worst)).toBeLessThanOrEqual(55);
  });
});

describe('sound and picture stay within 20 ms when timestamps', () => {
  const jumps = (byMs: number, track?: 'video' | 'audio'): Faults => ({
    ...jitter,
    clocks: { jumps: [{ atMs: 61_000, byMs, ...(track && { track }) }] },
  });
  const pause = (forMs: number, timestamps: 'go-on' | 'stop'): Faults => ({
    ...jitter,
    clocks: { pauses: [{ atMs: 61_000, forMs, timestamps }] },
    reports: { audioShiftMs: 2500 },
  });
  it.each<[string, Faults]>([
    ['wrap soon', { clocks: { rtpStart: { video: 2 ** 32 - 9000, audio: 2 ** 32 - 480_000 } } }],
    [
      'begin with the last one before the wrap',
      { clocks: { rtpStart: { video: 2 ** 32 - 1, audio: 2 ** 32 - 1 } } },
    ],
    ['begin at 0', { clocks: { rtpStart: { video: 0, audio: 0 } } }],
    ['step back by half a minute', jumps(-30_000)],
    ['step back by 5 s', jumps(-5000)],
    ['step back by half a second', jumps(-500)],
    ['step back without any reports', { ...jumps(-5000), reports: { tracks: [] } }],
    ['leap ahead', jumps(5000)],
    ['of the picture leap ahead', jumps(1000, 'video')],
    ['of the picture step back', jumps(-3000, 'video')],
    ['of the sound step back', jumps(-3000, 'audio')],
    ['go on in a pause', pause(4000, 'go-on')],
    ['stop in a pause', pause(4000, 'stop')],
    ['stop for a second', pause(1000, 'stop')],
    ['stop in a pause without any reports', { ...pause(4000, 'stop'), reports: { tracks: [] } }],
  ])('%s', (_, faults) => {
    expectInStep(measureSkew({ clip, ...faults }, 3));
  });
});

describe('a publisher that claims 25 pictures a second where 21 come', () => {
  it.each<[string, Faults]>([
    ['by reports', {}],
    ['by late reports', reports({ firstMs: 3000, audioShiftMs: 2500 })],
    ['by arrival', { ...jitter, reports: { tracks: [] } }],
    [
      'by arrival, beside an audio clock that is off',
      { ...jitter, ...reports({ tracks: [] }, { audioPpm: 200 }) },
    ],
    ['although its reports say that it is right', reports({ nominal: true })],
  ])('is in step after 2.5 s, and out by 140 ms at most before, %s', (_, faults) => {
    const publisher = { clip, ...faults, clocks: { ...faults.clocks, deliveredFps: 21 } };
    expectInStep(measureSkew(publisher, 10, 2500));
    const { fmp4, rtsp } = measureSkew(publisher, 1);
    expect(Math.abs(fmp4.worst)).toBeLessThanOrEqual(140);
    expect(Math.abs(rtsp.worst)).toBeLessThanOrEqual(140);
  });

  it.each([1, 2, 3])('takes longer to be told where the way jitters by 50 ms (%i)', (seed) => {
    for (const tracks of [['video', 'audio'], []] as const) {
      const publisher = {
        clip,
        seed,
        packets: { jitterMs: 50 },
        clocks: { deliveredFps: 21 },
        reports: { tracks },
      };
      expect(Math.abs(measureSkew(publisher, 3).rtsp.worst)).toBeLessThan(300);
      expect(Math.abs(measureSkew(publisher, 3, 5000).rtsp.worst)).toBeLessThan(50);
    }
  });

  it('is in step too where it is another speed', () => {
    for (const deliveredFps of [10, 15, 24]) {
      const { rtsp } = measureSkew(
        { clip, ...jitter, clocks: { deliveredFps }, reports: { tracks: [] } },
        2,
        8000,
      );
      expect(Math.abs(rtsp.worst), `${deliveredFps}`).toBeLessThanOrEqual(LIMIT);
    }
  });
});

describe('without any reports', () => {
  const none = { tracks: [] };

  it.each([1, 2, 3, 4])('50 ms of jitter part sound and picture by 15 ms at most after 1 s (%i)', (seed) => {
    for (const oneWay of [false, true]) {
      const { rtsp } = measureSkew({ clip, seed, packets: { jitterMs: 50, oneWay }, reports: none }, 5, 1000);
      expect(Math.abs(rtsp.worst)).toBeLessThanOrEqual(15);
    }
  });

  it.each([1, 2, 3, 4])(
    '100 ms of jitter do by 35 ms at most after 1 s, and 20 ms after 3 s (%i)',
    (seed) => {
      for (const oneWay of [false, true]) {
        const camera = { clip, seed, packets: { jitterMs: 100, oneWay }, reports: none };
        expect(Math.abs(measureSkew(camera, 5, 1000).rtsp.worst)).toBeLessThanOrEqual(35);
        expect(Math.abs(measureSkew(camera, 5, 3000).rtsp.worst)).toBeLessThanOrEqual(LIMIT);
      }
    },
  );

  it.each([true, false])(
    'key pictures that take long part them after 1 s by no more than jitter does',
    (oneWay) => {
      for (const keyframeMs of [100, 300, 600]) {
        const packets = { jitterMs: 10, keyframeMs, oneWay };
        expect(
          Math.abs(measureSkew({ clip, packets, reports: none }, 5, 1000).rtsp.worst),
        ).toBeLessThanOrEqual(LIMIT);
      }
    },
  );

  it('pictures that a relay replays at the start part them no longer than the replay takes', () => {
    for (const replayMs of [500, 1500, 3000]) {
      for (const tracks of [[], ['video', 'audio']] as const) {
        const camera = { clip, packets: { jitterMs: 10, replayMs }, reports: { tracks } };
        expect(Math.abs(measureSkew(camera, 3, replayMs + 100).rtsp.worst)).toBeLessThanOrEqual(LIMIT);
      }
    }
  });
});

describe('a camera that encodes the picture longer than the sound', () => {
  it.each([100, 300, 500])(
    'by %i ms is in step from its first report on, where that comes at once',
    (videoDelayMs) => {
      for (const seed of [1, 2, 3]) {
        const camera = { clip, seed, packets: { jitterMs: 10, videoDelayMs }, ...reports({ firstMs: 300 }) };
        expect(Math.abs(measureSkew(camera, 2, 800).rtsp.worst)).toBeLessThanOrEqual(LIMIT);
      }
    },
  );

  it('is slewed into step by 10 ms a second, where it comes later', () => {
    const camera = { clip, packets: { videoDelayMs: 300 }, ...reports({ audioShiftMs: 2500 }) };
    const { rtsp } = measureSkew(camera, 2, 32_500);
    expect(Math.abs(rtsp.worst)).toBeLessThanOrEqual(LIMIT);
  });
});
