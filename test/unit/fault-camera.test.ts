import { describe, expect, it } from 'vitest';
import { parseRtp } from '#protocols/rtp/packet.ts';
import { type CameraEvent, FaultCamera } from '../support/fault-camera/camera.ts';
import { madeUpClip, otherSps } from '../support/fault-camera/clip.ts';
import type { FaultCameraOptions } from '../support/fault-camera/options.ts';

type Packet = Extract<CameraEvent, { kind: 'rtp' | 'rtcp' }>;

function packets(options: Partial<FaultCameraOptions> = {}, ms = 10_000): Packet[] {
  const camera = new FaultCamera({ clip: madeUpClip(), ...options });
  return [...camera.until(ms)].filter((event) => 'bytes' in event);
}

const rtp = (events: readonly Packet[]) => events.filter(({ kind }) => kind === 'rtp');
const video = (events: readonly Packet[]) => rtp(events).filter(({ track }) => track === 0);
const stamps = (events: readonly Packet[]) => [
  ...new Set(rtp(events).map(({ bytes }) => parseRtp(bytes)!.timestamp)),
];

describe('the faulty camera', () => {
  it('without a fault sends every unit once, in order and in time', () => {
    const events = packets();
    const arrivals = events.map(({ at }) => at);
    expect(arrivals).toEqual([...arrivals].sort((a, b) => a - b));
    const pictures = stamps(video(events));
    expect(pictures.length).toBeGreaterThanOrEqual(250);
    pictures.forEach((stamp, n) => {
      expect(stamp).toBe(1_000_000 + n * 3600);
    });
    expect(events.filter(({ kind }) => kind === 'rtcp')).toHaveLength(5); // the last one about 10 s
    for (const { unit, at } of rtp(events)) expect(unit!.captured).toBeCloseTo(1_790_000_000_000 + at, 3);
  });

  it('gives the same bytes for the same seed, and others for another', () => {
    const packetFaults = { loss: 0.1, burst: 3, reorder: 0.1, duplicate: 0.1, jitterMs: 30, truncate: 0.05 };
    const run = (seed: number) =>
      packets({ seed, packets: packetFaults }).map(({ at, bytes }) => [at, bytes]);
    expect(run(7)).toEqual(run(7));
    expect(run(7)).not.toEqual(run(8));
    expect(run(7).length).toBeLessThan(packets().length);
  });

  it('stamps 25 pictures a second and delivers 21', () => {
    const pictures = video(packets({ clocks: { deliveredFps: 21 } }));
    expect(pictures.filter(({ at }) => at < 10_000).length).toBe(210);
    expect(stamps(pictures)[1]).toBe(1_003_600);
  });

  it('wraps, steps back, pauses with stopped and running timestamps', () => {
    const wrapped = stamps(video(packets({ clocks: { rtpStart: { video: 2 ** 32 - 7200 } } })));
    expect(wrapped.slice(0, 4)).toEqual([2 ** 32 - 7200, 2 ** 32 - 3600, 0, 3600]);
    const back = stamps(video(packets({ clocks: { jumps: [{ atMs: 1000, byMs: -490 }] } })));
    expect(back[25]).toBe(1_000_000 + 90_000 - 44_100);
    for (const timestamps of ['go-on', 'stop'] as const) {
      const events = video(packets({ clocks: { pauses: [{ atMs: 2000, forMs: 3000, timestamps }] } }));
      const resumed = events.find(({ at }) => at >= 2000)!;
      expect(resumed.at).toBe(5000);
      expect(parseRtp(resumed.bytes)!.timestamp).toBe(1_000_000 + (timestamps === 'stop' ? 2 : 5) * 90_000);
    }
  });

  it('changes its picture size at a keyframe, and dies when told', () => {
    const clip = madeUpClip({ sps: otherSps });
    const events = video(packets({ media: { changes: [{ atMs: 3000, clip }] } }));
    const sent = events.findIndex(({ bytes }) => bytes.includes(otherSps));
    expect(events[sent]!.at).toBe(4000);
    const camera = new FaultCamera({ clip, fate: { dieAtMs: 1000 } });
    const all = [...camera.until(5000)];
    expect(all.at(-1)).toEqual({ kind: 'die', at: 1000 });
    expect(camera.next()).toBeUndefined();
  });
});
