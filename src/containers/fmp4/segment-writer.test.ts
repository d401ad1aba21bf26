import { describe, expect, test } from 'vitest';
import type { AccessUnit } from '#media/access-unit.ts';
import type { Track } from '#media/track.ts';
import { av1Keyframe, av1Track } from '../../../test/support/coded-samples.ts';
import { readInit, readSamples } from '../../../test/support/fmp4-reader.ts';
import { aacTrack, h264Track, ntpOfZero, picture, sound } from '../../../test/support/fmp4-units.ts';
import { type Part, type SegmentLimits, SegmentWriter } from './segment-writer.ts';

interface Segment {
  readonly ntp: number;
  readonly init: Buffer;
  readonly discontinuity: boolean;
  readonly parts: Part[];
  ended: boolean;
}

const limits: SegmentLimits = { partSeconds: 0.2, segmentSeconds: 1, segmentMaxBytes: 1 << 20 };

function writing(tracks: readonly Track[], changed: Partial<SegmentLimits> = {}) {
  const segments: Segment[] = [];
  const writer = new SegmentWriter(
    tracks,
    { ...limits, ...changed },
    {
      begin: ({ ntp, init, discontinuity }) =>
        segments.push({ ntp, init: init.bytes, discontinuity, parts: [], ended: false }),
      part: (part) => segments.at(-1)!.parts.push(part),
      end: () => {
        segments.at(-1)!.ended = true;
      },
    },
  );
  return { writer, segments };
}

/** `count` pictures, a keyframe every `gop`, and the sound that belongs to them. */
function units(count: number, { gop = 25, step = 3600, from = 0, track = h264Track } = {}): AccessUnit[] {
  const pictures = Array.from({ length: count }, (_, n) =>
    picture(from + n * step, { keyframe: n % gop === 0, track }),
  );
  const end = from + count * step;
  const sounds: AccessUnit[] = [];
  for (let pts = Math.ceil((from / 90_000) * 48_000); pts < (end / 90_000) * 48_000; pts += 1024)
    sounds.push(sound(pts));
  return [...pictures, ...sounds].sort((a, b) => a.ntp - b.ntp);
}

const durations = (segment: Segment) => segment.parts.map(({ duration }) => Number(duration.toFixed(3)));

describe('segments', () => {
  test('begin with keyframes, and their parts are as many whole pictures as come nearest to the wish', () => {
    const { writer, segments } = writing([h264Track, aacTrack]);
    for (const unit of units(60)) writer.write(unit);
    expect(segments.map(({ ended }) => ended)).toEqual([true, true, false]);
    expect(durations(segments[0]!)).toEqual([0.2, 0.2, 0.2, 0.2, 0.2]);
    expect(segments[0]!.parts.map(({ independent }) => independent)).toEqual([
      true,
      false,
      false,
      false,
      false,
    ]);
    expect(segments[1]!.ntp).toBe(ntpOfZero + 1000);
    expect(segments.map(({ discontinuity }) => discontinuity)).toEqual([false, false, false]);
    expect(readInit(segments[0]!.init).map(({ entry }) => entry)).toEqual(['avc1', 'mp4a']);
  });

  test('have pictures of AV1 as they are, and go on with a codec of NAL units in the next one', () => {
    const { writer, segments } = writing([av1Track]);
    const payload = av1Keyframe;
    writer.write({ ...picture(0, { track: av1Track, keyframe: true }), payload });
    writer.write(picture(3600, { track: { ...h264Track, id: av1Track.id }, keyframe: true }));
    writer.interrupt();
    const datas = segments.map(({ parts }) =>
      parts.flatMap(({ bytes }) => readSamples(bytes)).map(({ data }) => data),
    );
    expect(datas[0]).toEqual([Buffer.concat(payload)]);
    expect(datas[1]![0]!.readUInt32BE(0)).toBe(100);
    expect(segments.map(({ init }) => readInit(init)[0]?.entry)).toEqual(['av01', 'avc1']);
  });

  test.each([
    [24, 3750],
    [30, 3000],
    [15, 6000],
    [5, 18_000],
    [1, 90_000],
  ])('have parts of one length at %i pictures a second', (fps, step) => {
    const { writer, segments } = writing([h264Track]);
    for (const unit of units(6 * fps + 1, { gop: 2 * fps, step })) writer.write(unit);
    const all = durations(segments[0]!);
    const whole = all.slice(0, -1);
    expect(Math.max(...whole, all[0]!) - Math.min(...whole, all[0]!)).toBeLessThan(0.002);
    expect(all.reduce((sum, duration) => sum + duration, 0)).toBeCloseTo(2, 2);
  });

  test('keep the timestamps of the picture, with durations that leave neither gap nor overlap', () => {
    const { writer, segments } = writing([h264Track, aacTrack]);
    const times = [0, 3600, 7300, 10_800, 14_500, 18_000, 21_500, 25_200];
    times.forEach((pts, n) => writer.write(picture(pts, { keyframe: n === 0 })));
    writer.interrupt();
    const samples = segments.flatMap(({ parts }) => parts).flatMap(({ bytes }) => readSamples(bytes));
    const pictures = samples.filter(({ trackId }) => trackId === 1);
    expect(pictures.map(({ dts }) => dts)).toEqual(times);
    for (const [i, { dts, duration }] of pictures.slice(0, -1).entries())
      expect(dts + duration).toBe(times[i + 1]);
  });

  test('put sound beside the picture by its capture clock', () => {
    const { writer, segments } = writing([h264Track, aacTrack]);
    const shifted = units(30).map((unit) =>
      unit.track === aacTrack ? { ...unit, pts: unit.pts + 5_000_000, dts: unit.dts + 5_000_000 } : unit,
    );
    for (const unit of shifted) writer.write(unit);
    const sounds = segments[0]!.parts
      .flatMap(({ bytes }) => readSamples(bytes))
      .filter(({ trackId }) => trackId === 2);
    expect(sounds[0]!.dts).toBeLessThan(48);
    expect(sounds.length).toBeGreaterThan(40);
  });

  test('have one moof a part, in which no sample is lost', () => {
    const { writer, segments } = writing([h264Track, aacTrack]);
    for (const unit of units(101)) writer.write(unit);
    const parts = segments.flatMap((segment) => segment.parts);
    for (const { bytes } of parts) expect(bytes.toString('latin1').split('moof').length).toBe(2);
    const pictures = parts.flatMap(({ bytes }) => readSamples(bytes)).filter(({ trackId }) => trackId === 1);
    expect(pictures.map(({ pts }) => pts)).toEqual(Array.from({ length: 100 }, (_, n) => n * 3600));
  });

  test('are of sound alone where there is no picture', () => {
    const { writer, segments } = writing([aacTrack]);
    for (let n = 0; n < 100; n++) writer.write(sound(n * 1024));
    expect(segments.length).toBe(3);
    expect(durations(segments[0]!)[0]).toBeCloseTo(0.192, 3);
    expect(segments[0]!.parts.every(({ independent }) => independent)).toBe(true);
    expect(segments[1]!.discontinuity).toBe(false);
  });

  test('begin anew with another initialisation segment where the format changes', () => {
    const { writer, segments } = writing([h264Track, aacTrack]);
    const [before, after] = [units(30), units(30, { from: 108_000, track: otherTrack() })];
    for (const unit of [...before, ...after]) writer.write(unit);
    expect(segments.map(({ discontinuity }) => discontinuity)).toEqual([false, false, true, false]);
    expect(segments[2]!.init.equals(segments[1]!.init)).toBe(false);
  });

  test('begin anew after the publisher was gone, without sound in the gap', () => {
    const { writer, segments } = writing([h264Track, aacTrack]);
    for (const unit of units(30)) writer.write(unit);
    writer.interrupt();
    expect(segments.at(-1)!.ended).toBe(true);
    for (const unit of units(30, { from: 900_000 })) writer.write(unit);
    expect(segments.map(({ discontinuity }) => discontinuity)).toEqual([false, false, true, false]);
    const first = segments[2]!.parts[0]!;
    expect(first.duration).toBeCloseTo(0.2, 3);
    const sounds = readSamples(first.bytes).filter(({ trackId }) => trackId === 2);
    expect(sounds[0]!.dts).toBeGreaterThanOrEqual(480_000 - 48);
    expect(sounds.length).toBeLessThan(15);
  });

  test('begin anew with a keyframe that comes long after the picture before', () => {
    const { writer, segments } = writing([h264Track]);
    for (const unit of units(30)) writer.write(unit);
    for (const unit of units(30, { from: 500_000 })) writer.write(unit);
    expect(segments.map(({ discontinuity }) => discontinuity)).toEqual([false, false, true, false]);
    expect(Math.max(...segments.flatMap(durations))).toBeLessThan(0.25);
  });

  test('never grow over their size: the picture goes on with the next keyframe', () => {
    const { writer, segments } = writing([h264Track], { segmentMaxBytes: 10_000 });
    for (let n = 0; n < 200; n++) writer.write(picture(n * 3600, { keyframe: n % 100 === 0, size: 1000 }));
    const sizes = segments.map(({ parts }) => parts.reduce((sum, { bytes }) => sum + bytes.length, 0));
    expect(segments.length).toBe(2);
    expect(Math.max(...sizes)).toBeLessThan(12_500);
    expect(segments[1]!.discontinuity).toBe(true);
  });
});

/** The same size in another profile: other parameter sets, which no decoder goes on with. */
function otherTrack(): Track {
  const { format } = h264Track;
  if (format.kind !== 'video') throw new Error('No video.');
  const parameterSets = format.parameterSets.map((set, i) =>
    i === 0 ? Buffer.concat([set.subarray(0, 3), Buffer.from([0x1f]), set.subarray(4)]) : set,
  );
  return { ...h264Track, format: { ...format, parameterSets } };
}
