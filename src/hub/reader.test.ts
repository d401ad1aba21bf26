import { describe, expect, it } from 'vitest';
import { VirtualClock } from '#util/clock.ts';
import { fakeReader } from '../../test/support/readers.ts';
import type { Chunk } from './chunk.ts';

const KB = 1024;

function chunk(label: string, size = 100): Chunk {
  const bytes = Buffer.alloc(size, ' ');
  bytes.write(label);
  const kind = label.startsWith('v') ? 'video' : label.startsWith('a') ? 'audio' : 'config';
  return { bytes, track: kind === 'video' ? 0 : 1, kind, keyframe: kind !== 'video' || label.endsWith('K') };
}

describe('a reader', () => {
  it('hands chunks straight to a socket that keeps up', () => {
    const { reader, seen } = fakeReader();
    for (const label of ['c', 'v0K', 'a0', 'v1']) reader.offer(chunk(label));
    expect(seen()).toEqual(['c', 'v0K', 'a0', 'v1']);
    expect(reader.counters).toMatchObject({ units: 4, droppedVideo: 0 });
  });

  it('that is to begin with a keyframe gets no picture before, and that is no loss', () => {
    const { reader, seen } = fakeReader({ startsAtKeyframe: true });
    for (const label of ['c', 'v1', 'a0', 'v2', 'v3K', 'v4']) reader.offer(chunk(label));
    expect(seen()).toEqual(['c', 'a0', 'v3K', 'v4']);
    expect(reader.counters.droppedVideo).toBe(0);
  });

  it('queues behind a full socket and goes on in order when it drains', () => {
    const { reader, transport, seen } = fakeReader();
    transport.open = false;
    reader.offer(chunk('v0K', 300 * KB));
    reader.offer(chunk('v1'));
    reader.offer(chunk('a0'));
    expect(seen()).toEqual(['v0K']);
    transport.open = true;
    transport.flush();
    expect(seen()).toEqual(['v0K', 'v1', 'a0']);
  });

  it('drops video up to the newest keyframe when pictures wait too long, and keeps all sound', () => {
    const clock = new VirtualClock();
    const { reader, transport, seen } = fakeReader({ clock });
    transport.open = false;
    reader.offer(chunk('v0K', 300 * KB));
    for (let n = 1; n <= 60; n++) {
      clock.advance(40);
      reader.offer(chunk(n % 25 === 0 ? `v${n}K` : `v${n}`));
      reader.offer(chunk(`a${n}`));
    }
    expect(reader.counters.skips).toBeGreaterThan(0);
    transport.open = true;
    transport.flush();
    const labels = seen();
    const firstPicture = labels.findIndex((label, i) => i > 0 && label.startsWith('v'));
    expect(labels[firstPicture]).toBe('v50K');
    expect(labels.filter((label) => label.startsWith('a'))).toHaveLength(60);
    expect(reader.counters.droppedVideo).toBe(49);
  });

  it('waits for the next keyframe when none is in the queue', () => {
    const clock = new VirtualClock();
    const { reader, transport, seen } = fakeReader({ clock });
    transport.open = false;
    reader.offer(chunk('v0K', 300 * KB));
    for (let n = 1; n <= 70; n++) {
      clock.advance(40);
      reader.offer(chunk(`v${n}`));
    }
    transport.open = true;
    transport.flush();
    reader.offer(chunk('v71'));
    reader.offer(chunk('v72K'));
    reader.offer(chunk('v73'));
    expect(seen()).toEqual(['v0K', 'v72K', 'v73']);
  });

  it('never holds more bytes than its budget, sound included', () => {
    const clock = new VirtualClock();
    const limits = { queueMs: 2000, queueBytes: 1024 * KB, stallMs: 600_000 };
    const { reader, transport } = fakeReader({ clock, limits });
    transport.open = false;
    for (let n = 0; n < 500; n++) {
      clock.advance(40);
      reader.offer(chunk(n % 50 === 0 ? `v${n}K` : `v${n}`, 100 * KB));
      reader.offer(chunk(`a${n}`, 10 * KB));
      expect(reader.queuedBytes).toBeLessThanOrEqual(limits.queueBytes + 300 * KB);
    }
    expect(reader.counters.droppedAudio).toBeGreaterThan(0);
  });

  it('never drops a configuration', () => {
    const clock = new VirtualClock();
    const { reader, transport, seen } = fakeReader({ clock });
    transport.open = false;
    reader.offer(chunk('v0K', 300 * KB));
    reader.offer(chunk('c1'));
    for (let n = 1; n <= 70; n++) {
      clock.advance(40);
      reader.offer(chunk(`v${n}`));
    }
    transport.open = true;
    transport.flush();
    expect(seen()).toEqual(['v0K', 'c1']);
  });

  it('is closed with a reason when it takes nothing for 10 s', () => {
    const clock = new VirtualClock();
    const reasons: string[] = [];
    const { reader, transport } = fakeReader({ clock, onClose: (reason) => reasons.push(reason) });
    transport.open = false;
    for (let n = 0; n < 300; n++) {
      clock.advance(40);
      reader.offer(chunk(n % 25 === 0 ? `v${n}K` : `v${n}`, 40 * KB));
    }
    expect(reasons).toEqual(['The reader took nothing for 10 s.']);
    expect(transport.closedBecause).toBe(reasons[0]);
    expect(reader.queuedBytes).toBe(transport.backlog);
  });

  it('is closed as well when keyframes are so rare that nothing waits for long', () => {
    const clock = new VirtualClock();
    const reasons: string[] = [];
    const { reader, transport } = fakeReader({ clock, onClose: (reason) => reasons.push(reason) });
    transport.open = false;
    for (let n = 0; n < 300; n++) {
      clock.advance(40);
      reader.offer(chunk(n === 0 ? 'v0K' : `v${n}`, 40 * KB));
    }
    expect(reasons).toEqual(['The reader took nothing for 10 s.']);
  });

  it('is closed as well when so little comes that it would never fill the socket', () => {
    const clock = new VirtualClock();
    const reasons: string[] = [];
    const { reader, transport } = fakeReader({ clock, onClose: (reason) => reasons.push(reason) });
    const offer = (seconds: number) => {
      for (let n = 0; n < seconds; n++) {
        clock.advance(1000);
        reader.offer(chunk(`a${n}`));
      }
    };
    offer(60);
    transport.open = false;
    offer(8);
    // It takes a part of what waits.
    transport.backlog -= 1;
    offer(8);
    expect(reasons).toEqual([]);
    offer(5);
    expect(reasons).toEqual(['The reader took nothing for 11 s.']);
  });

  it('is not closed while it still takes a little', () => {
    const clock = new VirtualClock();
    const { reader, transport } = fakeReader({ clock });
    transport.open = false;
    for (let n = 0; n < 1000; n++) {
      clock.advance(40);
      if (n % 50 === 49) transport.backlog = Math.floor(transport.backlog / 2);
      reader.offer(chunk(n % 25 === 0 ? `v${n}K` : `v${n}`, 40 * KB));
    }
    expect(reader.closed).toBe(false);
  });

  it('asks for a keyframe each time it had to drop', () => {
    const clock = new VirtualClock();
    const { reader, transport } = fakeReader({ clock });
    let asked = 0;
    reader.onSkip = () => asked++;
    transport.open = false;
    reader.offer(chunk('v0K', 300 * KB));
    for (let n = 1; n <= 60; n++) {
      clock.advance(40);
      reader.offer(chunk(`v${n}`));
    }
    expect(asked).toBe(reader.counters.skips);
    expect(asked).toBeGreaterThan(0);
  });
});
