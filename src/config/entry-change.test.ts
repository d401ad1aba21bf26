import { describe, expect, it } from 'vitest';
import { wishedEntry } from './entry-change.ts';
import { streamSchema } from './stream-schema.ts';

const written = streamSchema.parse({
  source: 'rtsp://anna:secret@127.0.0.1/live',
  onDemandStartSeconds: 30,
  detect: ['people'],
});

describe('an entry that is changed over the API', () => {
  it('is restricted where its source is another one, and stays trusted where it is the one that was written', () => {
    expect(wishedEntry('a', undefined, { source: 'rtsp://cam/live' }, true)).toMatchObject({
      restricted: true,
    });
    expect(wishedEntry('a', written, { source: 'rtsp://***@127.0.0.1/live', loop: false }, true)).toEqual({
      ...streamSchema.parse({ source: written.source, loop: false }),
      restricted: false,
    });
    expect(wishedEntry('a', written, { onDemand: false }, false)).toEqual({ ...written, onDemand: false });
    const moved = wishedEntry('a', written, { source: 'rtsp://***@127.0.0.1/sub' }, false);
    expect(moved).toMatchObject({ source: 'rtsp://anna:secret@127.0.0.1/sub', restricted: true });
    expect(wishedEntry('a', moved, { source: 'rtsp://***@127.0.0.1/sub' }, true)).toMatchObject({
      restricted: true,
    });
    for (const wish of [{ detect: ['people'] }, { source: 'testsrc' }])
      expect(wishedEntry('a', moved, wish, true)).toMatchObject({ restricted: false });
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
