import { describe, expect, it } from 'vitest';
import type { AccessUnit } from '#media/access-unit.ts';
import type { Track } from '#media/track.ts';
import { VirtualClock } from '#util/clock.ts';
import { fakeReader, TextWriter } from '../../test/support/readers.ts';
import { audio, picture, sound, video } from '../../test/support/units.ts';
import { Hub } from './hub.ts';
import type { PublisherHooks } from './publication.ts';

const hooks: PublisherHooks = { onClose: () => {} };
/** What stands in has other parameters. */
const card: typeof video = { ...video, format: { ...video.format, width: 320, height: 180 } };

function setUp(options: { takeover?: boolean } = {}) {
  const clock = new VirtualClock();
  const hub = new Hub({ clock, ...options });
  const said: string[] = [];
  const publish = (tracks: readonly Track[] = [video, audio], more = hooks) =>
    hub.publish('yard', { id: 'main', door: 'source', remote: 'cam' }, tracks, more);
  const standIn = (tracks: readonly Track[] = [card, audio]) =>
    hub.standIns.publish('yard', { id: 'standby', door: 'source', remote: '' }, tracks, {
      onClose: (reason) => said.push(reason),
    });
  const read = () => {
    const feed = hub.get('yard')!.feed('text', [0, 1], () => new TextWriter());
    const reader = fakeReader({ clock, onClose: () => feed.detach(reader.reader) });
    feed.attach(reader.reader);
    return reader;
  };
  return { clock, hub, said, publish, standIn, read };
}
/** Picture `n` of what stands in, whose time begins at 0 with the present. */
const shown = (n: number, now: number): AccessUnit => picture(n, { track: card, start: now });

describe('what stands in for a publisher that is gone', () => {
  it('is shown to those who are held, under the ids of the stream, with times that go on', () => {
    const { clock, hub, publish, standIn, read } = setUp();
    const states: string[] = [];
    hub.events.on('streamChanged', ({ state }) => states.push(state));
    const first = publish();
    const reader = read();
    first.write(picture(0));
    first.write(sound(0));
    first.close('The camera is off.');
    clock.advance(4000);
    const standby = standIn();
    standby.write(shown(0, clock.now()));
    standby.write(sound(0, { start: clock.now() }));
    expect(hub.get('yard')).toMatchObject({ state: 'standby', publisher: undefined, held: undefined });
    expect(states.at(-1)).toBe('standby');
    expect(reader.seen()).toEqual(['v0K', 'a0', 'v100K', 'a187.5']);
    clock.advance(60_000);
    expect(reader.reader.closed).toBe(false);
  });

  it('goes on until the first keyframe of the publisher that is back, which is asked for one', () => {
    const { clock, hub, said, publish, standIn, read } = setUp();
    const first = publish();
    const reader = read();
    first.write(picture(0));
    first.close('The camera is off.');
    clock.advance(4000);
    const standby = standIn();
    let asked = 0;
    const second = publish([video, audio], { ...hooks, requestKeyframe: () => asked++ });
    expect(asked).toBe(1);
    second.write(picture(101));
    second.write(sound(5));
    standby.write(shown(0, clock.now()));
    expect(hub.get('yard')!.state).toBe('standby');
    clock.advance(960);
    const published: (string | undefined)[] = [];
    hub.events.on('publisher', (_, publisher) => published.push(publisher?.id));
    second.write(picture(125));
    expect(said).toEqual(['The stream is back.']);
    expect(published).toEqual(['main']);
    expect(hub.get('yard')).toMatchObject({ state: 'live', tracks: [video, audio] });
    standby.write(shown(1, clock.now()));
    second.write(picture(126));
    expect(reader.seen()).toEqual(['v0K', 'v100K', 'v125K', 'v126']);
  });

  it('gives way to a publisher that begins with pictures of before, and capture time goes on all the same', () => {
    const { clock, hub, publish, standIn } = setUp();
    const seen: { ntp: number; pts: number }[] = [];
    const first = publish([video]);
    const feed = hub.get('yard')!.feed('raw', [0], () => ({ write: (unit) => void seen.push(unit) }));
    feed.attach(fakeReader({ clock }).reader);
    first.write(picture(0));
    first.close('The camera is off.');
    clock.advance(4000);
    const standby = standIn([card]);
    for (let n = 0; n < 5; n++) {
      standby.write(shown(n, clock.now() - n * 40));
      clock.advance(40);
    }
    const second = publish([video]);
    // Captured while the stand-by was shown, and sent all at once.
    for (let n = 100; n < 105; n++) second.write(picture(n));
    expect(seen).toHaveLength(11);
    for (const key of ['ntp', 'pts'] as const) {
      expect(seen.slice(1).every((unit, n) => unit[key] > seen[n]![key])).toBe(true);
    }
  });

  it('is shown although nobody reads, and makes a stream that never was there', () => {
    const { hub, standIn, said, publish } = setUp();
    const added: string[] = [];
    hub.events.on('streamAdded', ({ state }) => added.push(state));
    standIn();
    expect(added).toEqual(['standby']);
    const main = publish();
    main.write(picture(0));
    expect(hub.get('yard')!.state).toBe('live');
    expect(said).toEqual(['The stream is back.']);
  });

  it('is refused while the publisher is there', () => {
    const { publish, standIn } = setUp();
    publish();
    expect(() => standIn()).toThrowError(expect.objectContaining({ code: 'STREAM_BUSY' }) as Error);
  });

  it('does not keep a publisher out where taking over is off, nor lets a second one in before the first keyframe', () => {
    const { hub, publish, standIn } = setUp({ takeover: false });
    const busy = expect.objectContaining({ code: 'STREAM_BUSY' }) as Error;
    standIn();
    const first = publish();
    expect(hub.get('yard')!.state).toBe('standby');
    expect(() => publish()).toThrowError(busy);
    first.write(picture(0));
    expect(hub.get('yard')!.state).toBe('live');
    expect(() => publish()).toThrowError(busy);
  });

  it('leaves readers held when it fails itself, and a publisher that has no keyframe yet goes on to wait', () => {
    const { clock, hub, publish, standIn, read } = setUp();
    const first = publish();
    const reader = read();
    first.write(picture(0));
    first.close('The camera is off.');
    const standby = standIn();
    const second = publish();
    standby.close('Its worker is gone.');
    expect(hub.get('yard')!.state).toBe('held');
    clock.advance(1000);
    second.write(picture(26));
    second.write(picture(50));
    expect(hub.get('yard')!.state).toBe('live');
    expect(reader.seen()).toEqual(['v0K', expect.stringMatching(/^v\d+K$/)]);
  });

  it('ends with the stream', () => {
    const { hub, said, standIn } = setUp();
    standIn();
    hub.get('yard')!.end('The source was taken out of the configuration.');
    expect(said).toEqual(['The source was taken out of the configuration.']);
    expect(hub.streams).toEqual([]);
  });

  it('takes the second source back with its publisher, and lets it go without', () => {
    const { clock, hub, publish, standIn, read } = setUp();
    const mic = { ...audio, id: 0 };
    const fill = hub.fills.publish('yard', { id: 'fill', door: 'source', remote: 'mic' }, [mic], hooks);
    const first = publish([video]);
    const reader = read();
    first.write(picture(0));
    fill.write(sound(0, { track: mic }));
    first.close('The camera is off.');
    clock.advance(4000);
    const standby = standIn([card, audio]);
    standby.write(sound(0, { start: clock.now() }));
    fill.write(sound(1, { track: mic }));
    expect(reader.seen()).toEqual(['v0K', 'a0', 'a187.5']);
    const second = publish([video]);
    second.write(picture(100));
    expect(hub.get('yard')!.filled).toEqual([1]);
  });

  it('leaves the stream to a foreign publisher who waits behind it when the source is taken out', () => {
    for (const isWatched of [true, false]) {
      const { clock, hub, publish, standIn, read } = setUp();
      const first = publish();
      const reader = read();
      first.write(picture(0));
      first.close('The camera is off.');
      const standby = standIn();
      if (!isWatched) reader.reader.close('It left.');
      const ends: string[] = [];
      const foreign = hub.publish('yard', { id: 'obs', door: 'rtmp', remote: 'x' }, [video, audio], {
        onClose: (reason) => ends.push(reason),
      });
      foreign.write(picture(101));
      const states: string[] = [];
      hub.events.on('streamChanged', ({ state }) => states.push(state));
      hub.sourceRemoved('yard', 'The source was taken out of the configuration.');
      standby.close('The source was taken out of the configuration.');
      // Who watches is held for its first keyframe, for as long as anybody is held.
      expect(hub.get('yard')!.state).toBe(isWatched ? 'held' : 'live');
      if (isWatched) clock.advance(60_000);
      expect(hub.get('yard')).toMatchObject({ state: 'live', publisher: { id: 'obs' } });
      foreign.write(picture(125));
      expect(ends).toEqual([]);
      expect(reader.seen()).toHaveLength(isWatched ? 2 : 1);
      // The source's own end comes later, and is nobody's any more.
      hub.sourceRemoved('yard', 'Once more.');
      expect(ends).toEqual([]);
    }
  });

  it('ends with its source where nobody else publishes', () => {
    const { hub, said, publish, standIn } = setUp();
    publish().close('The camera is off.');
    standIn();
    publish();
    hub.sourceRemoved('yard', 'Taken out.');
    expect(hub.get('yard')).toBeUndefined();
    expect(said).toEqual(['Taken out.']);
  });
});
