import { describe, expect, it } from 'vitest';
import { type EntryWish, restrictedParts, wishedEntry } from './entry-change.ts';
import { type StreamEntry, streamSchema } from './stream-schema.ts';

const written = streamSchema.parse({
  source: 'rtsp://anna:secret@127.0.0.1/live',
  onDemandStartSeconds: 30,
  detect: ['people'],
});

describe('an entry that is changed over the API', () => {
  it('is restricted where its source is another one, and stays trusted where it is the one that was written', () => {
    expect(wishedEntry('a', undefined, { source: 'rtsp://cam/live' }, true)).toMatchObject({
      restricted: ['source'],
    });
    expect(wishedEntry('a', written, { source: 'rtsp://***@127.0.0.1/live', loop: false }, true)).toEqual({
      ...streamSchema.parse({ source: written.source, loop: false }),
      restricted: [],
    });
    expect(wishedEntry('a', written, { onDemand: false }, false)).toEqual({ ...written, onDemand: false });
    const moved = wishedEntry('a', written, { source: 'rtsp://***@127.0.0.1/sub' }, false);
    expect(moved).toMatchObject({ source: 'rtsp://anna:secret@127.0.0.1/sub', restricted: ['source'] });
    expect(wishedEntry('a', moved, { source: 'rtsp://***@127.0.0.1/sub' }, true)).toMatchObject({
      restricted: ['source'],
    });
    for (const wish of [{ detect: ['people'] }, { source: 'testsrc' }])
      expect(wishedEntry('a', moved, wish, true)).toMatchObject({ restricted: [] });
  });

  it('is restricted in what the API wrote, and in nothing that was written by hand', () => {
    const hand = streamSchema.parse({
      source: 'rtsp://127.0.0.1/live',
      fill: 'rtsp://anna:secret@127.0.0.1/sound',
      standby: '/cards/back-soon.png',
      forward: ['rtsp://feeder:secret@127.0.0.1/copy', { url: 'srt://127.0.0.1:9000', insecure: true }],
    });
    const change = (wish: EntryWish, before = hand, whole = false) => wishedEntry('a', before, wish, whole);
    expect(restrictedParts(change({ onDemand: true }))).toEqual([]);
    expect(restrictedParts(change({ fill: 'rtsp://mic/sound' }))).toEqual(['fill']);
    expect(restrictedParts(change({ standby: '/films/a.mp4' }))).toEqual(['standby']);
    expect(change({ fill: 'rtsp://***@127.0.0.1/sound' })).toEqual(hand);
    expect(change({ fill: 'rtsp://***@127.0.0.1/other' })).toMatchObject({
      fill: 'rtsp://anna:secret@127.0.0.1/other',
      restricted: ['fill'],
    });
    expect(restrictedParts(change({ fill: 'testsrc' }))).toEqual([]);
    // The same address under another key was not written there.
    expect(restrictedParts(change({ fill: 'rtsp://127.0.0.1/live' }))).toEqual(['fill']);
    const forward = [
      { url: 'srt://127.0.0.1:9000', insecure: false },
      'rtsp://cloud/copy',
      { url: 'rtsp://***@127.0.0.1/copy' },
    ];
    const forwarded = change({ forward });
    expect(forwarded.forward).toEqual([
      { url: 'srt://127.0.0.1:9000', insecure: false, restricted: false },
      { url: 'rtsp://cloud/copy', insecure: false, restricted: true },
      { url: 'rtsp://feeder:secret@127.0.0.1/copy', insecure: false, restricted: false },
    ]);
    expect(restrictedParts(forwarded)).toEqual(['forward[1]']);
    // What is taken out and comes back over the API is the API's.
    const without = change({ forward: null, fill: null, standby: null }, forwarded);
    expect(without).toMatchObject({ forward: [], restricted: [] });
    const again = { forward: ['srt://127.0.0.1:9000'], fill: hand.fill, standby: hand.standby };
    expect(restrictedParts(change(again, without))).toEqual(['fill', 'standby', 'forward[0]']);
    expect(restrictedParts(change({ loop: false }, change(again, without)))).toHaveLength(3);
  });

  it('cannot name a channel of Redis, and keeps the one that was written by hand', () => {
    const entry = (detect: unknown) => streamSchema.parse({ detect });
    const written = entry([{ algorithm: 'people', frames: { channel: 'gate', keepSeconds: 5 } }]);
    const wish = (detect: unknown[], before?: StreamEntry) => wishedEntry('gate', before, { detect }, true);
    const named = { algorithm: 'people', frames: { channel: 'session:admin', keepSeconds: 5 } };
    expect(() => wish([named])).toThrow('"streams.gate.detect.0.frames.channel" can only be written in the');
    expect(() => wish([named], written)).toThrow('can only be written in the configuration file');
    expect(() => wish([{ ...named, algorithm: 'other', frames: { channel: 'gate' } }], written)).toThrow();
    const kept = wish([{ algorithm: 'people', frames: { channel: 'gate', quality: 50 } }], written);
    expect(kept.detect[0]?.frames).toMatchObject({ channel: 'gate', quality: 50 });
    expect(wish([{ algorithm: 'people', frames: true }]).detect[0]?.frames).toEqual({
      quality: 85,
      boxes: true,
    });
  });

  it('loses by PUT whatever is left out', () => {
    const before = streamSchema.parse({ source: 'testsrc', fill: 'testsrc', forward: ['srt://x:1'] });
    expect(wishedEntry('a', before, { source: 'testsrc' }, true)).toEqual(
      streamSchema.parse({ source: 'testsrc' }),
    );
  });

  it('cannot trust itself', () => {
    const forward = [{ url: 'rtsp://cloud/a', restricted: false }];
    expect(wishedEntry('a', undefined, { forward }, true).forward).toMatchObject([{ restricted: true }]);
  });

  it('gets the default of a key that is null, and keeps the others', () => {
    expect(wishedEntry('a', written, { onDemandStartSeconds: null }, false)).toEqual({
      ...written,
      onDemandStartSeconds: 10,
    });
    expect(() => wishedEntry('a', written, { source: null, detect: null }, false)).toThrow(
      '"streams.a" must have a `source`',
    );
  });

  it('that breaks a rule is refused with the key and the rule', () => {
    const wish = { source: 'rtsps://cam/live', transport: 'udp' };
    expect(() => wishedEntry('yard/gate', undefined, wish, true)).toThrow(
      '"streams.yard/gate.transport" cannot be `udp` for an rtsps:// source',
    );
    expect(() => wishedEntry('a', undefined, { source: 'pipe://0' }, true)).toThrow(
      '"streams.a.source" must be',
    );
  });
});
