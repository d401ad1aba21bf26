import { describe, expect, it } from 'vitest';
import type { FeedWriter } from '#hub/feed.ts';
import { Hub } from '#hub/hub.ts';
import { defaultReaderLimits } from '#hub/reader.ts';
import { VirtualClock } from '#util/clock.ts';
import { h264Track, ntpOfZero, picture } from '../../test/support/fmp4-units.ts';
import { ForwardReader } from './forward-reader.ts';

function setUp() {
  const clock = new VirtualClock(ntpOfZero);
  const hub = new Hub({ clock });
  let keyframesAsked = 0;
  const publication = hub.publish('yard', { id: 'p', door: 'test', remote: '' }, [h264Track], {
    onClose() {},
    requestKeyframe: () => keyframesAsked++,
  });
  const { stream } = publication;
  const writer: FeedWriter = {
    write: ({ keyframe, track }, emit) =>
      emit({ bytes: Buffer.alloc(keyframe ? 100 : 10), track: track.id, kind: 'video', keyframe }),
  };
  const forward = () => {
    const written: number[] = [];
    const closed: string[] = [];
    const reader = new ForwardReader({
      target: { stream, clock },
      feed: stream.feed('test', [h264Track.id], () => writer),
      remote: 'other:1935',
      out: { write: ({ length }) => written.push(length), backlog: 0, onDrain() {} },
      limits: defaultReaderLimits,
      onClose: (reason) => closed.push(reason),
    });
    reader.join();
    return { reader, written, closed };
  };
  return { publication, stream, forward, keyframesAsked: () => keyframesAsked };
}

describe('the reader of a forward', () => {
  it('begins with the pictures since the last keyframe, and asks for one only where there is none', () => {
    const { publication, forward, keyframesAsked } = setUp();
    const first = forward();
    expect(keyframesAsked()).toBe(1);
    publication.write(picture(0));
    publication.write(picture(3600, { keyframe: true }));
    publication.write(picture(7200));
    const second = forward();
    expect(first.written).toEqual([100, 10]);
    expect(second.written).toEqual([100, 10]);
    expect(keyframesAsked()).toBe(1);
    expect(second.reader.counters.bytes).toBe(110);
  });

  it('has a name of its own beside another one to the same server', () => {
    const { forward } = setUp();
    expect(forward().reader.id).not.toBe(forward().reader.id);
  });

  it('gives its feed back when it leaves, and says so once', () => {
    const { stream, forward } = setUp();
    const { reader, closed } = forward();
    reader.leave('Enough.');
    reader.leave('Again.');
    expect(stream.feeds).toEqual([]);
    expect(closed).toEqual(['Enough.']);
  });
});
