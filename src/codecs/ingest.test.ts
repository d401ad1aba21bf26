import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { VideoTrack } from '#media/track.ts';
import {
  av1Inter,
  av1Keyframe,
  av1Track,
  vp8Inter,
  vp8Keyframe,
  vp8Track,
  vp9Inter,
  vp9Keyframe,
  vp9Track,
} from '../../test/support/coded-samples.ts';
import { av1Format } from './av1.ts';
import { h264Format } from './h264.ts';
import { h265Format } from './h265.ts';
import { VideoIngest } from './ingest.ts';
import { DecodingTimes } from './reorder.ts';
import { vp8Format } from './vp8.ts';
import { vp9Format } from './vp9.ts';

const hex = (text: string) => Buffer.from(text, 'hex');
const SPS = hex('6764001eacd940a02ff97ff000300041000003000100000300320f162d96');
const SPS_SMALL = hex('6742c00dd90141fb011000000300100000030320f142a480');
const PPS = hex('68ebe3cb22c0');
const IDR = hex('6588');
const SLICE = hex('419a');

const track = (sets: Buffer[]): VideoTrack => ({ id: 1, clockRate: 90_000, format: h264Format(sets) });

describe('VideoIngest', () => {
  it('puts the parameter sets of the SDP in front of a keyframe that lacks them', () => {
    const ingest = new VideoIngest(track([SPS, PPS]));
    expect(ingest.push([IDR], 0)).toMatchObject({ keyframe: true, payload: [SPS, PPS, IDR] });
    expect(ingest.push([SLICE], 3600)).toMatchObject({ keyframe: false, payload: [SLICE] });
  });

  it('does not repeat parameter sets that are there, and keeps the track', () => {
    const start = track([SPS, PPS]);
    const ingest = new VideoIngest(start);
    const picture = ingest.push([SPS, PPS, SPS, PPS, IDR], 0);
    expect(picture?.payload).toEqual([SPS, PPS, IDR]);
    expect(picture?.track).toBe(start);
  });

  it('takes parameter sets that come as access units of their own', () => {
    const ingest = new VideoIngest(track([]));
    expect(ingest.push([SPS], 0)).toBeUndefined();
    expect(ingest.push([PPS], 0)).toBeUndefined();
    const picture = ingest.push([IDR], 0);
    expect(picture?.payload).toEqual([SPS, PPS, IDR]);
    expect(picture?.track.format).toMatchObject({ width: 640, height: 360, codecString: 'avc1.64001e' });
  });

  it('makes a new track with the same id when the parameter sets change', () => {
    const ingest = new VideoIngest(track([SPS, PPS]));
    const before = ingest.push([IDR], 0)?.track;
    const after = ingest.push([SPS_SMALL, PPS, IDR], 3600)?.track;
    expect(after).not.toBe(before);
    expect(after).toMatchObject({ id: 1, format: { width: 320, height: 240 } });
  });

  it('replaces the PPS with the same id and keeps the others', () => {
    const other = hex('685bc0'); // pps id 1
    const changed = hex('68ee0100'); // pps id 0
    const ingest = new VideoIngest(track([SPS, PPS, other]));
    expect(ingest.push([changed, IDR], 0)?.payload).toEqual([SPS, changed, other, IDR]);
  });

  it('calls no picture a keyframe while there are no parameter sets', () => {
    expect(new VideoIngest(track([])).push([IDR], 0)).toMatchObject({ keyframe: false, payload: [IDR] });
  });

  it('removes delimiters and filler', () => {
    const ingest = new VideoIngest(track([SPS, PPS]));
    expect(ingest.push([hex('09f0'), SLICE, hex('0cff80')], 0)?.payload).toEqual([SLICE]);
    expect(ingest.push([hex('09f0')], 3600)).toBeUndefined();
  });

  it('does the same for H.265', () => {
    const vps = hex('40010c01ffff01600000030090000003000003005d959809');
    const sps = hex(
      '42010101600000030090000003000003005da00280802d165959a4932bffc000c0011a020000030002000003003210',
    );
    const pps = hex('4401c172b46240');
    const ingest = new VideoIngest({ id: 0, clockRate: 90_000, format: h265Format([]) });
    const picture = ingest.push([hex('460150'), vps, sps, pps, hex('2601af')], 7200);
    expect(picture?.payload).toEqual([vps, sps, pps, hex('2601af')]);
    expect(picture?.track.format).toMatchObject({ width: 1280, height: 720 });
  });
});

describe('VideoIngest of AV1, VP9 and VP8', () => {
  const unknown = {
    av1: { id: 4, clockRate: 90_000, format: av1Format() },
    vp9: { id: 4, clockRate: 90_000, format: vp9Format() },
    vp8: { id: 4, clockRate: 90_000, format: vp8Format() },
  };

  it.each([
    ['av1', av1Keyframe, av1Inter, av1Track],
    ['vp9', [vp9Keyframe], [vp9Inter], vp9Track],
    ['vp8', [vp8Keyframe], [vp8Inter], vp8Track],
  ] as const)('learns from the first keyframe how it is coded: %s', (codec, keyframe, inter, known) => {
    const ingest = new VideoIngest(unknown[codec]);
    expect(ingest.push(inter, 0)?.keyframe).toBe(false);
    const first = ingest.push(keyframe, 3600);
    expect(first).toMatchObject({ dts: 3600, keyframe: true, payload: keyframe });
    expect(first?.track).toMatchObject({ id: 4, format: known.format });
    const next = ingest.push(inter, 7200);
    expect(next).toMatchObject({ dts: 7200, keyframe: false, payload: inter });
    expect(next?.track).toBe(first?.track);
    expect(ingest.push(keyframe, 10_800)?.track).toBe(first?.track);
    expect(ingest.dropped).toBe(0);
  });

  it('puts the sequence header of a container in front of a keyframe that lacks it, and takes delimiters out', () => {
    const ingest = new VideoIngest(av1Track as VideoTrack);
    const [header, frame] = av1Keyframe;
    expect(ingest.push([hex('1200'), frame!], 0)).toMatchObject({ keyframe: true, payload: [header, frame] });
    expect(ingest.push([hex('1200'), ...av1Keyframe], 3600)?.payload).toEqual(av1Keyframe);
  });

  it('calls no picture of AV1 a keyframe while there is no sequence header, and takes one that comes alone', () => {
    const [header, frame] = av1Keyframe;
    const ingest = new VideoIngest(unknown.av1);
    expect(ingest.push([frame!], 0)?.keyframe).toBe(false);
    expect(ingest.push([header!], 3600)).toBeUndefined();
    expect(ingest.push([frame!], 7200)).toMatchObject({ keyframe: true, payload: [header, frame] });
  });

  it('leaves out and counts what cannot be read', () => {
    for (const codec of ['vp9', 'vp8'] as const) {
      const ingest = new VideoIngest(unknown[codec]);
      expect(ingest.push([hex('00')], 0)).toBeUndefined();
      expect(ingest.dropped).toBe(1);
    }
  });
});

describe('DecodingTimes', () => {
  /** Presentation order numbers of pictures in decoding order: I or P, then a pyramid of B-frames. */
  const pyramid = [0, 4, 2, 1, 3, 8, 6, 5, 7, 12, 10, 9, 11].map((n) => 90_000 + n * 3600);

  it('follow the presentation times at once where nothing is reordered', () => {
    const times = new DecodingTimes(0, 3600);
    expect([0, 3600, 7200, 10_800].map((pts) => times.next(pts))).toEqual([0, 3600, 7200, 10_800]);
  });

  it('increase and never exceed the presentation times, with a known depth, from the first picture on', () => {
    const times = new DecodingTimes(2, 3600);
    const dts = pyramid.map((pts) => times.next(pts) ?? Number.NaN);
    dts.forEach((value, i) => expect(value).toBeLessThanOrEqual(pyramid[i] ?? 0));
    expect(dts).toEqual([...dts].sort((a, b) => a - b));
    expect(new Set(dts).size).toBe(dts.length);
    expect(dts.slice(0, 4)).toEqual([82_800, 86_400, 90_000, 93_600]);
  });

  it('learn an unknown depth from a few pictures that they have to leave out', () => {
    const times = new DecodingTimes(0, 3600);
    const dts = pyramid.map((pts) => times.next(pts));
    expect(times.depth).toBe(2);
    expect(dts.slice(5)).not.toContain(undefined);
  });

  it('hold their promise for any order of pictures', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 500_000 }), { maxLength: 100 }),
        fc.nat(4),
        (order, depth) => {
          const times = new DecodingTimes(depth, 3600);
          let last = Number.NEGATIVE_INFINITY;
          for (const pts of order) {
            const dts = times.next(pts);
            if (dts === undefined) continue;
            expect(dts).toBeGreaterThan(last);
            expect(dts).toBeLessThanOrEqual(pts);
            last = dts;
          }
        },
      ),
    );
  });
});
