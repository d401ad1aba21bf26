import { describe, expect, it } from 'vitest';
import { Hub } from '#hub/hub.ts';
import { VirtualClock } from '#util/clock.ts';
import { audio, picture, sound, video } from '../../test/support/units.ts';
import { FlowMeter, observe } from './progress.ts';

describe('what flows through a job', () => {
  it('is measured over the last seconds by the times of the picture', () => {
    const meter = new FlowMeter();
    for (let n = 0; n < 250; n++) meter.take(picture(n, { size: 500 }), n * 40);
    expect(meter.at(10_000)).toEqual({ timeMs: 9960, speed: 1, fps: 25, bitRate: expect.any(Number) });
    expect(meter.at(10_000).bitRate).toBeCloseTo(100_000, -4);
  });

  it('tells how much faster than time it goes', () => {
    const meter = new FlowMeter();
    for (let n = 0; n < 250; n++) meter.take(picture(n), n * 10);
    expect(meter.at(2500)).toMatchObject({ speed: 4, fps: 100 });
  });

  it('goes by the sound where there is no picture, and by the picture as soon as there is one', () => {
    const meter = new FlowMeter();
    for (let n = 0; n < 94; n++) meter.take(sound(n), n * 21);
    expect(meter.at(2000)).toMatchObject({ timeMs: 1984, fps: 0 });
    meter.take(picture(0), 2000);
    meter.take(sound(94), 2000);
    meter.take(picture(25), 3000);
    expect(meter.at(3000).timeMs).toBe(2984);
  });

  it('falls to nothing when nothing comes, and goes on where it stood when another stream comes', () => {
    const meter = new FlowMeter();
    for (let n = 0; n < 50; n++) meter.take(picture(n), n * 40);
    expect(meter.at(60_000)).toEqual({ timeMs: 1960, speed: 0, fps: 0, bitRate: 0 });
    meter.restart();
    for (let n = 5000; n < 5025; n++) meter.take(picture(n), 60_000 + (n - 5000) * 40);
    expect(meter.at(61_000).timeMs).toBe(1960 + 960);
  });

  it('is seen by a reader that takes nothing and leaves nothing behind', () => {
    const clock = new VirtualClock();
    const hub = new Hub({ clock, holdMs: 0 });
    const publication = hub.publish('a', { id: 'p', door: 'rtsp', remote: 'x' }, [video, audio], {
      onClose: () => {},
    });
    const stream = hub.get('a')!;
    const meter = new FlowMeter();
    const leave = observe(stream, 'job a', meter, clock);
    for (let n = 0; n < 25; n++) {
      publication.write(picture(n));
      clock.advance(40);
    }
    expect(meter.at(clock.now()).timeMs).toBe(960);
    leave();
    expect(stream.feeds).toEqual([]);
    expect(clock.pending).toBe(0);
  });
});
