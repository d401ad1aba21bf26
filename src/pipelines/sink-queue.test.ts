import { describe, expect, it } from 'vitest';
import type { AccessUnit } from '#media/access-unit.ts';
import { isVideo } from '#media/track.ts';
import { audio, picture } from '../../test/support/units.ts';
import { SinkQueue } from './sink-queue.ts';

/** Sound at the time of picture `n`. */
function sound(n: number): AccessUnit {
  const { ntp } = picture(n);
  const pts = n * 1920;
  return { track: audio, pts, dts: pts, keyframe: true, ntp, payload: [Buffer.alloc(10)] };
}

function drain(queue: SinkQueue): string[] {
  const out: string[] = [];
  for (let unit = queue.shift(); unit; unit = queue.shift()) {
    out.push(`${isVideo(unit.track) ? 'v' : 'a'}${Math.round((unit.ntp - picture(0).ntp) / 40)}`);
  }
  return out;
}

describe('the queue of a sink', () => {
  it('begins at the first keyframe, sound included, and that is no loss', () => {
    const queue = new SinkQueue(true);
    for (const n of [23, 24]) {
      queue.push(picture(n));
      queue.push(sound(n));
    }
    queue.push(picture(25));
    queue.push(sound(25));
    expect(drain(queue)).toEqual(['v25', 'a25']);
    expect(queue.dropped).toBe(0);
  });

  it('lets sound alone through at once', () => {
    const queue = new SinkQueue(false);
    queue.push(sound(1));
    expect(drain(queue)).toEqual(['a1']);
  });

  it('drops the pictures before the newest keyframe when it is too slow, and keeps the sound', () => {
    const queue = new SinkQueue(true);
    for (let n = 0; n <= 51; n++) {
      queue.push(picture(n));
      if (n % 25 === 0) queue.push(sound(n));
    }
    // Over two seconds with picture 51: what stands before 50 goes.
    expect(drain(queue)).toEqual(['a25', 'v50', 'a50', 'v51']);
    expect(queue.dropped).toBe(50);
  });

  it('waits for the next keyframe when there is none to go on from, and the sound goes on', () => {
    const queue = new SinkQueue(true);
    for (let n = 0; n < 60; n++) queue.push(picture(n, { gop: 100 }));
    queue.push(sound(60));
    expect(drain(queue)).toEqual(['a60']);
    expect(queue.dropped).toBe(60);
    queue.push(picture(100, { gop: 100 }));
    expect(drain(queue)).toEqual(['v100']);
  });

  it('holds no more than 8 MB', () => {
    const queue = new SinkQueue(true);
    for (let n = 0; n < 12; n++) queue.push(picture(n, { size: 1 << 20 }));
    expect(queue.dropped).toBeGreaterThanOrEqual(9);
  });
});
