import { describe, expect, it } from 'vitest';
import { atMostStereo, SoundFramer, withChannels } from './sound-framer.ts';

/** 20 ms at 8 kHz: silence, or a loud constant. */
function packet(pts: number, loud = false, channels = 1) {
  return { pts, planes: Array.from({ length: channels }, () => new Float32Array(160).fill(loud ? 0.9 : 0)) };
}

const g711 = { sampleRate: 8000, channels: 1, frameLength: 1024 };

describe('frames for an encoder', () => {
  it('follow each other without a gap, from the time of the first sample on', () => {
    const framer = new SoundFramer(g711);
    const frames = Array.from({ length: 50 }, (_, n) => framer.push(packet(1000 + n * 160))).flat();
    expect(frames[0]).toMatchObject({ pts: (1000 - 16) * 6, restart: true });
    for (const [n, frame] of frames.entries()) expect(frame.pts).toBe(frames[0]!.pts + n * 1024);
    expect(frames.slice(1).every(({ restart }) => !restart)).toBe(true);
  });

  it('keep a sound at its time to a tenth of a millisecond, whatever is missing before it', () => {
    const framer = new SoundFramer(g711);
    const times = [0, 160, 320, 800, 960, 900, 1120, 1280, 1440, 1600];
    const frames = times.flatMap((pts) => framer.push(packet(pts, pts >= 1280)));
    const frame = frames.find(({ planes }) => planes[0]!.some((value) => value > 0.5))!;
    const at = frame.pts + frame.planes[0]!.findIndex((value) => value > 0.45);
    expect(Math.abs(at - 1280 * 6)).toBeLessThanOrEqual(5);
    expect(frames.filter(({ restart }) => restart)).toHaveLength(1);
  });

  it('are at the rate of the encoder, and the last one is filled up with silence', () => {
    const framer = new SoundFramer({ ...g711, sampleRate: 48_000, frameRate: 44_100, frameLength: 1152 });
    const input = { pts: 48_000, planes: [new Float32Array(9600).fill(0.5)] };
    const frames = framer.push(input);
    const rest = framer.finish();
    const all = [...frames, ...rest];
    const length = all.reduce((sum, { planes }) => sum + planes[0]!.length, 0);
    // 200 ms, and what the filter looks ahead on either side, in whole frames.
    expect(length).toBeGreaterThanOrEqual(8820);
    expect(length).toBeLessThan(8820 + 1152 + 64);
    expect(all[0]!.pts).toBeLessThanOrEqual(44_100);
    const samples = all.flatMap(({ planes }) => [...planes[0]!]);
    const last = samples.findLastIndex((value) => value > 0.25);
    expect(Math.abs(all[0]!.pts + last - (44_100 + 8820))).toBeLessThanOrEqual(2);
    expect(framer.finish()).toEqual([]);
  });

  it('begin anew where the time of the source jumps', () => {
    const framer = new SoundFramer(g711);
    for (let n = 0; n < 20; n++) framer.push(packet(n * 160));
    const after = Array.from({ length: 20 }, (_, n) => framer.push(packet(80_000 + n * 160))).flat();
    expect(after[0]).toMatchObject({ pts: (80_000 - 16) * 6, restart: true });
  });

  it('of sound at 44.1 kHz begin at the right sample, and timestamps that are rounded tear no holes', () => {
    const framer = new SoundFramer({ sampleRate: 44_100, channels: 1, frameLength: 960, slack: 44 });
    const loud = new Float32Array(1024).fill(0.9);
    const frames = Array.from({ length: 60 }, (_, n) =>
      framer.push({ pts: 441_000 + n * 1024 + (n % 3), planes: [loud] }),
    ).flat();
    expect(frames[0]!.pts).toBe(Math.ceil(((441_000 - 16) * 160) / 147));
    expect(frames.filter(({ restart }) => restart)).toHaveLength(1);
    for (const { planes } of frames.slice(1))
      for (const value of planes[0]!) expect(value).toBeCloseTo(0.9, 2);
  });

  it('have the samples of each channel in its own', () => {
    const framer = new SoundFramer({ ...g711, channels: 2, frameLength: 960 });
    const [silent, loud] = [new Float32Array(800), new Float32Array(800).fill(0.9)];
    const [frame] = framer.push({ pts: 0, planes: [silent, loud] });
    expect(frame!.planes[0]![900]).toBeCloseTo(0, 2);
    expect(frame!.planes[1]![900]).toBeCloseTo(0.9, 2);
  });
});

describe('more channels than two', () => {
  it('are mixed into two, none left out but the one for low frequencies, and none too loud', () => {
    const at = (index: number) =>
      atMostStereo(Array.from({ length: 6 }, (_, i) => new Float32Array([i === index ? 1 : 0]))).map(
        ([value]) => value! > 0,
      );
    expect(at(0)).toEqual([true, false]);
    expect(at(1)).toEqual([false, true]);
    expect(at(2)).toEqual([true, true]);
    expect(at(3)).toEqual([false, false]);
    expect(at(4)).toEqual([true, false]);
    expect(at(5)).toEqual([false, true]);
    const loudest = atMostStereo(Array.from({ length: 8 }, () => new Float32Array([1])));
    for (const [value] of loudest) expect(value).toBeLessThanOrEqual(1);
  });
});

describe('channels that are wished for', () => {
  it('are the mean of two, or one twice', () => {
    const [left, right] = [Float32Array.of(0.5, -0.5), Float32Array.of(0.25, 0.5)];
    expect(withChannels([left, right], 1)).toEqual([Float32Array.of(0.375, 0)]);
    expect(withChannels([left], 2)).toEqual([left, left]);
    expect(withChannels([left, right], 2)).toEqual([left, right]);
  });
});
