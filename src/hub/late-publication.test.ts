import { describe, expect, it } from 'vitest';
import { h264Track, picture } from '../../test/support/fmp4-units.ts';
import { Hub } from './hub.ts';
import { LatePublication } from './late-publication.ts';

function setUp(hub = new Hub()) {
  const told: string[] = [];
  const publication = new LatePublication({
    hub,
    stream: 'yard',
    publisher: { id: 'p', door: 'test', remote: '' },
    origin: () => ({ tracks: [h264Track], hooks: {} }),
    onPublished: () => told.push('published'),
    onEnd: ({ code }) => told.push(code),
  });
  return { hub, publication, told };
}

describe('a late publication', () => {
  it('takes its stream with the first unit, and not before', () => {
    const { hub, publication, told } = setUp();
    publication.changeTrack(h264Track);
    expect(hub.get('yard')).toBeUndefined();
    publication.write(picture(0, { keyframe: true }));
    publication.write(picture(3600));
    expect(hub.get('yard')?.counters.units).toBe(2);
    expect(told).toEqual(['published']);
  });

  it('tells once that the hub ended it, and takes nothing after that', () => {
    const { hub, publication, told } = setUp();
    publication.write(picture(0, { keyframe: true }));
    setUp(hub).publication.write(picture(0, { keyframe: true }));
    publication.write(picture(3600));
    publication.close('Enough.');
    expect(told).toEqual(['published', 'PUBLICATION_ENDED']);
    expect(hub.get('yard')?.counters.units).toBe(2);
  });

  it('tells once that the hub does not take it', () => {
    const hub = new Hub({ takeover: false });
    setUp(hub).publication.write(picture(0, { keyframe: true }));
    const { publication, told } = setUp(hub);
    publication.write(picture(0, { keyframe: true }));
    publication.write(picture(3600));
    expect(told).toEqual(['STREAM_BUSY']);
  });

  it('tells nothing after it was closed', () => {
    const { hub, publication, told } = setUp();
    publication.close('Enough.');
    publication.write(picture(0, { keyframe: true }));
    expect(hub.get('yard')).toBeUndefined();
    expect(told).toEqual([]);
  });
});
