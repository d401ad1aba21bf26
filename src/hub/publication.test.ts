import { describe, expect, it } from 'vitest';
import { liveHub } from '../../test/support/live-hub.ts';
import { fakeReader } from '../../test/support/readers.ts';
import { audio, picture, sound, video } from '../../test/support/units.ts';

describe('a publisher that leaves', () => {
  it('ends the stream at once when nobody reads', () => {
    const { hub, publish } = liveHub();
    publish().close('bye');
    expect(hub.get('live')).toBeUndefined();
  });

  it('leaves its readers held for 15 s, then they are told why they end', () => {
    const { clock, hub, publish, read } = liveHub();
    const publication = publish();
    const reader = read();
    publication.close('The publisher left.');
    expect(hub.get('live')!.state).toBe('held');
    clock.advance(14_999);
    expect(reader.reader.closed).toBe(false);
    clock.advance(1);
    expect(reader.transport.closedBecause).toBe('The publisher left. No publisher came back within 15 s.');
    expect(hub.get('live')).toBeUndefined();
    expect(clock.pending).toBe(0);
  });

  it('is followed by another without a step back for its readers: the gap is what the clock says', () => {
    const { clock, publish, read, send } = liveHub();
    const first = publish();
    const reader = read();
    send(first, 0, 50);
    first.close('bye');
    clock.advance(4000 - 40);
    const second = publish();
    // The new publisher counts from an arbitrary number of its own and its clock is years off.
    for (let n = 0; n < 3; n++) {
      second.write({ ...picture(1_000_000 + n, { start: 0 }), keyframe: n === 0 });
      clock.advance(40);
    }
    expect(reader.seen().slice(50)).toEqual(['v149K', 'v150', 'v151']);
  });

  it('keeps sound and picture of the next publisher in step by its own clock', () => {
    const { hub, publish, send } = liveHub();
    const first = publish();
    const seen: { pts: number; ntp: number; rate: number }[] = [];
    const stream = hub.get('live')!;
    const feed = stream.feed('raw', [0, 1], () => ({
      write: ({ pts, ntp, track }) => seen.push({ pts, ntp, rate: track.clockRate }),
    }));
    feed.attach(fakeReader().reader);
    for (let n = 0; n < 10; n++) first.write(sound(n));
    send(first, 0, 10);
    const second = publish();
    seen.length = 0;
    second.write(picture(500, { start: 5000 }));
    second.write(sound(77, { start: 5000 + 500 * 40 - 77 * (1024 / 48) }));
    const [a, b] = seen;
    expect(a!.ntp).toBeCloseTo(b!.ntp, 6);
    // Both clocks began at zero together, so positions at one capture time agree.
    expect(a!.pts / a!.rate).toBeCloseTo(b!.pts / b!.rate, 4);
  });

  it('may be taken over from while it still publishes, and learns it', () => {
    const { publish } = liveHub();
    const reasons: string[] = [];
    const first = publish([video, audio], { onClose: (reason) => reasons.push(reason) });
    publish();
    expect(reasons).toEqual(['Another publisher took over.']);
    expect(first.closed).toBe(true);
  });

  it('keeps the stream when takeover is off', () => {
    const { publish } = liveHub({ takeover: false });
    publish();
    expect(() => publish()).toThrowError(expect.objectContaining({ code: 'STREAM_BUSY' }) as Error);
  });

  it('is followed by one without sound: readers go on with the picture, and hear again when sound is back', () => {
    const { publish, read } = liveHub();
    publish();
    const reader = read();
    const silent = publish([video]);
    silent.write(picture(0));
    const again = publish([{ ...audio, id: 7 }, video]);
    again.write(picture(25, { start: 0 }));
    again.write(sound(0, { start: 0, track: { ...audio, id: 7 } }));
    expect(reader.reader.closed).toBe(false);
    expect(reader.seen().map((label) => label[0])).toEqual(['v', 'v', 'a']);
  });

  it('is followed by one with another codec: who can choose anew goes on, the others learn why they end', () => {
    const { hub, publish, read, send, clock } = liveHub();
    const first = publish();
    const fixed = read('fixed', [0, 1]);
    const soundOnly = read('sound', [1]);
    send(first, 0, 25);
    first.write(sound(0));
    const stream = hub.get('live')!;
    const seen: { pts: number; codec: string }[] = [];
    stream.events.on('replaced', () => {
      const feed = stream.feed(
        'anew',
        stream.tracks.map(({ id }) => id),
        () => ({
          write: ({ pts, track }) => seen.push({ pts, codec: track.format.codec }),
        }),
      );
      feed.attach(fakeReader().reader);
    });
    const h265 = { ...video, format: { ...video.format, codec: 'h265' as const } };
    const second = publish([h265, audio]);
    // Its clock is a little behind: the first picture would be one that was there already.
    second.write(picture(1000, { track: h265, start: clock.now() - 40_000 - 45 }));
    expect(fixed.transport.closedBecause).toBe('The video is now h265 instead of h264: connect again.');
    expect(soundOnly.reader.closed).toBe(false);
    // The new track goes on where the picture stood, not at its own zero, and never back.
    expect(seen).toEqual([{ pts: 25 * 3600, codec: 'h265' }]);
    expect(hub.get('live')).toBe(stream);
  });

  it('cannot write any more', () => {
    const { publish, read } = liveHub();
    const first = publish();
    const reader = read();
    publish();
    first.write(picture(0));
    expect(reader.seen()).toEqual([]);
  });
});

describe('timestamps that do not go forward', () => {
  it('are refused and counted when they step back a little', () => {
    const { hub, publish, read } = liveHub();
    const publication = publish([video]);
    const reader = read();
    for (const n of [0, 1, 2, 1, 2, 3]) publication.write(picture(n));
    expect(reader.seen()).toEqual(['v0K', 'v1', 'v2', 'v3']);
    expect(hub.get('live')!.counters.discarded).toBe(2);
  });

  it('are joined on when the source began anew', () => {
    const { clock, publish, read, send } = liveHub();
    const publication = publish([video]);
    const reader = read();
    send(publication, 0, 100);
    publication.write(picture(0, { start: clock.now() }));
    publication.write(picture(1, { start: clock.now() }));
    expect(reader.seen().slice(100)).toEqual(['v100K', 'v101']);
  });
});
