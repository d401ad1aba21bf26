import { describe, expect, it } from 'vitest';
import { hooks, liveHub } from '../../test/support/live-hub.ts';
import type { TextWriter } from '../../test/support/readers.ts';
import { picture, sound, video } from '../../test/support/units.ts';

describe('a stream', () => {
  it('gives a reader that joins late the pictures since the last keyframe at once, and sound from now on', () => {
    const { publish, read } = liveHub();
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
    const { publish, read } = liveHub();
    const publication = publish();
    const readers = [read(), read(), read()];
    publication.write(picture(0));
    expect((readers[0]!.feed.writer as TextWriter).made).toBe(1);
    expect(readers[1]!.transport.written[0]).toBe(readers[0]!.transport.written[0]);
    expect(readers[2]!.transport.written[0]).toBe(readers[0]!.transport.written[0]);
  });

  it('lets feeds appear with their first reader and go with their last', () => {
    const { hub, publish, read } = liveHub();
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
    const { publish, read } = liveHub();
    const publication = publish();
    const reader = read('video', [0]);
    publication.write(picture(0));
    publication.write(sound(0));
    expect(reader.seen()).toEqual(['v0K']);
  });

  it('gives many readers sound and the picture after it in one write, and never holds sound for long', () => {
    const { clock, publish, read } = liveHub();
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
    const { publish, read, send } = liveHub();
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
    const { publish, read } = liveHub({ feedLimits: { gopBytes: 1000, gopUnits: 1000 } });
    const publication = publish([video]);
    for (let n = 0; n < 20; n++) publication.write(picture(n));
    const reader = read();
    expect(reader.seen()).toEqual([]);
    publication.write(picture(25));
    expect(reader.seen()).toEqual(['v25K']);
  });

  it('tells of a format that changed in mid-stream by a new track on the next unit', () => {
    const { hub, publish } = liveHub();
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
    const { publish, read, send } = liveHub();
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

describe('the order of pictures', () => {
  it('is told when it turns out, and forgotten with the publisher and with the format', () => {
    const { hub, publish } = liveHub();
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
