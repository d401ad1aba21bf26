import { describe, expect, it } from 'vitest';
import type { Track } from '#media/track.ts';
import { VirtualClock } from '#util/clock.ts';
import { fakeReader, TextWriter } from '../../test/support/readers.ts';
import { audio, picture, sound, video } from '../../test/support/units.ts';
import { Hub } from './hub.ts';
import type { Publication, PublisherHooks } from './stream.ts';

const hooks: PublisherHooks = { onClose: () => {} };
const publisher = { id: 'p', door: 'test', remote: 'test' };

function setUp(options: ConstructorParameters<typeof Hub>[0] = {}) {
  const clock = new VirtualClock();
  const hub = new Hub({ clock, ...options });
  const publish = (tracks: readonly Track[] = [video, audio], more = hooks) =>
    hub.publish('live', publisher, tracks, more);
  /** Attaches a new reader to the feed `key` of `live`. */
  const read = (key = 'text', tracks = [0, 1]) => {
    const stream = hub.get('live')!;
    const feed = stream.feed(key, tracks, () => new TextWriter());
    const reader = fakeReader({ clock, onClose: () => feed.detach(reader.reader) });
    feed.attach(reader.reader);
    return { ...reader, feed };
  };
  const send = (publication: Publication, from: number, to: number) => {
    for (let n = from; n < to; n++) {
      publication.write(picture(n));
      clock.advance(40);
    }
  };
  return { clock, hub, publish, read, send };
}

describe('a stream', () => {
  it('gives a reader that joins late the pictures since the last keyframe at once, and sound from now on', () => {
    const { publish, read } = setUp();
    const publication = publish();
    for (let n = 0; n < 30; n++) {
      publication.write(picture(n));
      publication.write(sound(n));
    }
    const reader = read();
    expect(reader.seen()).toEqual(['v25K', 'v26', 'v27', 'v28', 'v29']);
    publication.write(picture(30));
    publication.write(sound(30));
    expect(reader.seen().slice(5)).toEqual(['v30', 'a30']);
  });

  it('makes the bytes of a unit once for all readers of a feed', () => {
    const { publish, read } = setUp();
    const publication = publish();
    const readers = [read(), read(), read()];
    publication.write(picture(0));
    expect((readers[0]!.feed.writer as TextWriter).made).toBe(1);
    expect(readers[1]!.transport.written[0]).toBe(readers[0]!.transport.written[0]);
    expect(readers[2]!.transport.written[0]).toBe(readers[0]!.transport.written[0]);
  });

  it('lets feeds appear with their first reader and go with their last', () => {
    const { hub, publish, read } = setUp();
    publish();
    const a = read('one');
    const b = read('one');
    const c = read('two');
    expect(hub.get('live')!.feeds.map((feed) => feed.key)).toEqual(['one', 'two']);
    a.reader.close('bye');
    c.reader.close('bye');
    expect(hub.get('live')!.feeds.map((feed) => feed.key)).toEqual(['one']);
    b.reader.close('bye');
    expect(hub.get('live')!.feeds).toEqual([]);
    expect((b.feed.writer as TextWriter).closed).toBe(true);
  });

  it('gives a feed only the tracks it asked for', () => {
    const { publish, read } = setUp();
    const publication = publish();
    const reader = read('video', [0]);
    publication.write(picture(0));
    publication.write(sound(0));
    expect(reader.seen()).toEqual(['v0K']);
  });

  it('gives many readers sound and the picture after it in one write, and never holds sound for long', () => {
    const { clock, publish, read } = setUp();
    const publication = publish();
    publication.write(picture(0));
    const readers = Array.from({ length: 64 }, () => read());
    const last = readers.at(-1)!;
    publication.write(sound(0));
    publication.write(sound(1));
    expect(last.seen()).toEqual(['v0K']);
    publication.write(picture(1));
    expect(last.transport.written).toHaveLength(2);
    expect(last.seen()[1]!.split(/\s+/)).toEqual(['a0', 'a1', 'v1']);
    expect(last.transport.written[1]).toBe(readers[0]!.transport.written.at(-1));
    publication.write(sound(2));
    clock.advance(40);
    expect(last.seen()[2]).toBe('a2');
    expect(last.reader.counters.units).toBe(5);
    // A reader that joins meanwhile gets nothing from before it.
    publication.write(sound(3));
    const late = read();
    expect(late.seen()).toEqual(['v0K', 'v1']);
    expect(last.seen()[3]).toBe('a3');
    for (const { reader } of [...readers, late]) reader.close('bye');
    expect(clock.pending).toBe(0);
  });

  it('lets one stuck reader among others cost them nothing', () => {
    const { publish, read, send } = setUp();
    const publication = publish();
    const stuck = read();
    const others = [read(), read()];
    stuck.transport.open = false;
    for (let n = 0; n < 200; n++) publication.write(picture(n, { size: 60_000 }));
    send(publication, 200, 400);
    for (const other of others) expect(other.transport.written).toHaveLength(400);
    expect(stuck.reader.queuedBytes).toBeLessThan(9 << 20);
  });

  it('forgets pictures since the keyframe when they outgrow the limits, and starts late readers at the next one', () => {
    const { publish, read } = setUp({ feedLimits: { gopBytes: 1000, gopUnits: 1000 } });
    const publication = publish([video]);
    for (let n = 0; n < 20; n++) publication.write(picture(n));
    const reader = read();
    expect(reader.seen()).toEqual([]);
    publication.write(picture(25));
    expect(reader.seen()).toEqual(['v25K']);
  });

  it('tells of a format that changed in mid-stream by a new track on the next unit', () => {
    const { hub, publish } = setUp();
    const publication = publish([video]);
    const changed = { ...video, format: { ...video.format, width: 1280, height: 720 } };
    let events = 0;
    hub.events.on('streamChanged', () => events++);
    publication.write(picture(0));
    publication.write(picture(25, { track: changed }));
    expect(hub.get('live')!.tracks[0]!.format).toMatchObject({ width: 1280 });
    expect(events).toBe(1);
  });

  it('asks the publisher for a keyframe when a reader lost video, once a second at most', () => {
    const { publish, read, send } = setUp();
    let asked = 0;
    const publication = publish([video], { ...hooks, requestKeyframe: () => asked++ });
    const reader = read();
    reader.transport.open = false;
    for (let n = 0; n < 10; n++) publication.write(picture(n, { size: 60_000 }));
    send(publication, 10, 110);
    expect(asked).toBeGreaterThan(0);
    expect(asked).toBeLessThanOrEqual(5);
  });
});

describe('a publisher that leaves', () => {
  it('ends the stream at once when nobody reads', () => {
    const { hub, publish } = setUp();
    publish().close('bye');
    expect(hub.get('live')).toBeUndefined();
  });

  it('leaves its readers held for 15 s, then they are told why they end', () => {
    const { clock, hub, publish, read } = setUp();
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
    const { clock, publish, read, send } = setUp();
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
    const { hub, publish, send } = setUp();
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
    const { publish } = setUp();
    const reasons: string[] = [];
    const first = publish([video, audio], { onClose: (reason) => reasons.push(reason) });
    publish();
    expect(reasons).toEqual(['Another publisher took over.']);
    expect(first.closed).toBe(true);
  });

  it('keeps the stream when takeover is off', () => {
    const { publish } = setUp({ takeover: false });
    publish();
    expect(() => publish()).toThrowError(expect.objectContaining({ code: 'STREAM_BUSY' }) as Error);
  });

  it('is followed by one without sound: readers go on with the picture, and hear again when sound is back', () => {
    const { publish, read } = setUp();
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
    const { hub, publish, read, send, clock } = setUp();
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
    const { publish, read } = setUp();
    const first = publish();
    const reader = read();
    publish();
    first.write(picture(0));
    expect(reader.seen()).toEqual([]);
  });
});

describe('timestamps that do not go forward', () => {
  it('are refused and counted when they step back a little', () => {
    const { hub, publish, read } = setUp();
    const publication = publish([video]);
    const reader = read();
    for (const n of [0, 1, 2, 1, 2, 3]) publication.write(picture(n));
    expect(reader.seen()).toEqual(['v0K', 'v1', 'v2', 'v3']);
    expect(hub.get('live')!.counters.discarded).toBe(2);
  });

  it('are joined on when the source began anew', () => {
    const { clock, publish, read, send } = setUp();
    const publication = publish([video]);
    const reader = read();
    send(publication, 0, 100);
    publication.write(picture(0, { start: clock.now() }));
    publication.write(picture(1, { start: clock.now() }));
    expect(reader.seen().slice(100)).toEqual(['v100K', 'v101']);
  });
});

describe('renditions', () => {
  it('are made once for all who hold them and end with the last', async () => {
    const requests: string[] = [];
    let stopped = 0;
    const { hub, publish, read } = setUp({
      startRendition: ({ stream, track, request }) => {
        requests.push(`${stream}:${track}:${request.codec}`);
        return () => stopped++;
      },
    });
    publish();
    const stream = hub.get('live')!;
    const a = stream.acquireRendition(1, 'aac');
    const b = stream.acquireRendition(1, 'aac');
    expect(requests).toEqual(['live:1:aac']);
    const track = { ...audio, id: a.id };
    stream.renditions.announce(1, track);
    expect(await a.track).toBe(track);
    const reader = read('aac', [0, a.id]);
    stream.renditions.write(sound(7, { track }));
    expect(reader.seen()).toEqual(['a7']);
    a.release();
    a.release();
    expect(stopped).toBe(0);
    b.release();
    expect(stopped).toBe(1);
  });

  it('are the same for equal wishes, others for others, each under an id of its own that comes again', () => {
    const requests: number[] = [];
    const { hub, publish } = setUp({
      startRendition: ({ id }) => {
        requests.push(id);
        return () => {};
      },
    });
    publish();
    const stream = hub.get('live')!;
    const small = stream.acquireRendition(0, { codec: 'h264', width: 640, bitRate: 500_000 });
    const same = stream.acquireRendition(0, { bitRate: 500_000, width: 640, codec: 'h264' });
    const plain = stream.acquireRendition(0, { codec: 'h264' });
    expect(stream.acquireRendition(0, 'h264').id).toBe(plain.id);
    expect(same.id).toBe(small.id);
    expect(requests).toEqual([small.id, plain.id]);
    expect(stream.renditions.count).toBe(2);
    for (const one of [small, same]) one.release();
    expect(stream.renditions.count).toBe(1);
    expect(stream.acquireRendition(0, { codec: 'h264', width: 640, bitRate: 500_000 }).id).toBe(small.id);
    // Publishers' own ids are kept out of the way.
    const taken = hub.publish(
      'other',
      { id: 'a', door: 'test', remote: '' },
      [{ ...video, id: small.id }],
      hooks,
    );
    expect(taken).toBeDefined();
    expect(hub.get('other')!.tracks.map(({ id }) => id)).toEqual([0]);
  });

  it('let in what belongs to one of them, and nothing else', () => {
    const { hub, publish, read } = setUp({ startRendition: () => () => {} });
    publish();
    const stream = hub.get('live')!;
    const { id } = stream.acquireRendition(1, { codec: 'aac', channels: 1 });
    const reader = read('aac', [1, id, id + 1]);
    for (const other of [1, id + 1]) {
      const track = { ...audio, id: other };
      stream.renditions.announce(1, track);
      stream.renditions.write(sound(1, { track }));
    }
    const track = { ...audio, id };
    stream.renditions.write(sound(2, { track }));
    stream.renditions.announce(1, track);
    stream.renditions.write(sound(3, { track }));
    expect(reader.seen()).toEqual(['a3']);
  });

  it('fail with a sentence when no worker can make them', async () => {
    const { hub, publish } = setUp();
    publish();
    await expect(hub.get('live')!.acquireRendition(1, 'aac').track).rejects.toThrow('no worker');
  });

  it('may come after an attempt that failed: who holds them learns of both', async () => {
    let fail = (_reason: string, _more: { retried: boolean }) => {};
    let stopped = 0;
    const { hub, publish } = setUp({
      startRendition: (_, onFailure) => {
        fail = onFailure;
        return () => stopped++;
      },
    });
    publish();
    const stream = hub.get('live')!;
    const first = stream.acquireRendition(1, 'aac');
    fail('its worker crashed.', { retried: true });
    expect(await first.trouble).toBe('The sound cannot be turned into AAC: its worker crashed.');
    expect([stopped, stream.renditions.count]).toEqual([0, 1]);
    const track = { ...audio, id: first.id };
    stream.renditions.announce(1, track);
    expect(await first.track).toBe(track);
    // Who comes later gets it at once, whatever went wrong before.
    expect(await stream.acquireRendition(1, 'aac').track).toBe(track);
  });

  it('end with the first attempt where another one would fail too', async () => {
    let stopped = 0;
    const { hub, publish } = setUp({
      startRendition: (_, onFailure) => {
        queueMicrotask(() => onFailure('16001 Hz is no rate of AAC.', { retried: false }));
        return () => stopped++;
      },
    });
    publish();
    const rendition = hub.get('live')!.acquireRendition(1, 'aac');
    await expect(rendition.track).rejects.toThrow('16001 Hz');
    expect(await rendition.trouble).toMatch('16001 Hz');
    expect(stopped).toBe(1);
  });

  it('of pictures are asked for keyframes instead of the publisher, who is asked for all else', () => {
    const asked: string[] = [];
    const { hub, publish, clock } = setUp({ startRendition: () => () => {} });
    publish([video, audio], { ...hooks, requestKeyframe: () => asked.push('publisher') });
    const stream = hub.get('live')!;
    const { id } = stream.acquireRendition(0, 'h264');
    stream.requestKeyframe([id]);
    expect(asked).toEqual(['publisher']);
    const announced = { ...video, id };
    stream.renditions.announce(0, announced, () => asked.push('maker'));
    clock.advance(2000);
    stream.requestKeyframe([id, 1]);
    stream.requestKeyframe([id]);
    stream.requestKeyframe([0, 1]);
    expect(asked).toEqual(['publisher', 'maker', 'publisher']);
  });

  it('go on without a step back when their maker begins anew with the last keyframe of the source', () => {
    const { hub, publish, read } = setUp({ startRendition: () => () => {} });
    publish();
    const stream = hub.get('live')!;
    const { id } = stream.acquireRendition(0, 'h264');
    const track = { ...video, id };
    stream.renditions.announce(0, track);
    const reader = read('h264', [id]);
    const write = (n: number) => stream.renditions.write({ ...picture(n), track });
    for (const n of [0, 1, 2, 3]) write(n);
    // The next maker: its keyframe was there already, and what follows hangs on that.
    for (const n of [0, 1, 2, 3, 4, 5]) write(n);
    for (const n of [25, 26]) write(n);
    expect(reader.seen()).toEqual(['v0K', 'v1', 'v2', 'v3', 'v25K', 'v26']);
  });
});

describe('the order of pictures', () => {
  it('is told when it turns out, and forgotten with the publisher and with the format', () => {
    const { hub, publish } = setUp();
    const publication = publish();
    const stream = hub.get('live')!;
    let told = 0;
    stream.events.on('order', () => told++);
    const times = [0, 3, 1, 2, 6, 4, 5];
    for (const [n, pts] of times.entries()) {
      publication.write({ ...picture(n), pts: pts * 3600 + 7200, dts: n * 3600 });
    }
    expect([told, stream.orderOf(0)]).toMatchObject([1, { reordered: true, settled: true }]);
    publication.changeTrack({ ...video, format: { ...video.format } });
    expect(stream.orderOf(0)).toEqual({ reordered: false, settled: false });
  });
});
