import { describe, expect, it } from 'vitest';
import type { AccessUnit } from '#media/access-unit.ts';
import type { Track } from '#media/track.ts';
import { VirtualClock } from '#util/clock.ts';
import { fakeReader, TextWriter } from '../../test/support/readers.ts';
import { audio, picture, sound, video } from '../../test/support/units.ts';
import { isThisMachine } from './fill.ts';
import { Hub } from './hub.ts';
import type { PublisherHooks } from './publication.ts';

const hooks: PublisherHooks = { onClose: () => {} };
/** The second source counts its own tracks from 0. */
const mic = { ...audio, id: 0 };

function setUp() {
  const clock = new VirtualClock();
  const hub = new Hub({ clock });
  const main = (tracks: readonly Track[] = [video], more = hooks) =>
    hub.publish('yard', { id: 'main', door: 'source', remote: 'cam' }, tracks, more);
  const fill = (tracks: readonly Track[] = [mic], more = hooks) =>
    hub.fills.publish('yard', { id: 'fill', door: 'source', remote: 'mic' }, tracks, more);
  const read = (tracks = [0, 1]) => {
    const feed = hub.get('yard')!.feed('text', tracks, () => new TextWriter());
    const reader = fakeReader({ clock, onClose: () => feed.detach(reader.reader) });
    feed.attach(reader.reader);
    return reader;
  };
  const kinds = () => hub.get('yard')?.tracks.map(({ id, format }) => `${id} ${format.kind}`);
  return { clock, hub, main, fill, read, kinds };
}
const heard = (n: number) => sound(n, { track: mic });

describe('a second source', () => {
  it('brings what the publisher does not have, under an id of its own, and whoever can choose anew is told', () => {
    const { hub, main, fill, read, kinds } = setUp();
    const publication = main();
    let replaced = 0;
    hub.get('yard')!.events.on('replaced', () => replaced++);
    const second = fill();
    expect(kinds()).toEqual(['0 video', '1 audio']);
    expect(replaced).toBe(1);
    expect(hub.get('yard')!.filled).toEqual([1]);
    const reader = read();
    publication.write(picture(0));
    second.write(heard(0));
    expect(reader.seen()).toEqual(['v0K', 'a0']);
  });

  it('may be there first, makes no stream by itself, and is not needed for one', () => {
    const { hub, main, fill, read, kinds } = setUp();
    const second = fill();
    second.write(heard(0));
    expect(hub.streams).toEqual([]);
    const publication = main();
    expect(kinds()).toEqual(['0 video', '1 audio']);
    const reader = read();
    publication.write(picture(0));
    second.write(heard(1));
    expect(reader.seen().map((label) => label[0])).toEqual(['v', 'a']);
  });

  it('brings the picture to a publisher that has only sound', () => {
    const { main, fill, kinds } = setUp();
    main([mic]);
    fill([{ ...video, id: 5 }]);
    expect(kinds()).toEqual(['0 audio', '5 video']);
  });

  it('is not used for what the publisher has itself, also when that comes or goes later', () => {
    const { hub, main, fill, read, kinds } = setUp();
    main();
    const second = fill();
    second.write(heard(0));
    const both = main([video, audio]);
    expect(kinds()).toEqual(['0 video', '1 audio']);
    expect(hub.get('yard')!.filled).toEqual([]);
    const reader = read();
    second.write(heard(1));
    both.write(sound(100));
    expect(reader.seen()).toHaveLength(1);
    main().write(picture(100));
    expect(hub.get('yard')!.filled).toEqual([1]);
    second.write(heard(200));
    // Time goes on from the sound that was there meanwhile.
    const heardAt = reader.seen().filter((label) => label.startsWith('a'));
    const [before, after] = heardAt.map((label) => Number(label.slice(1)));
    expect(after).toBeGreaterThan(before!);
  });

  it('leaves the picture alone when it is gone: its track stays, and it goes on under the same id', () => {
    const { clock, hub, main, fill, read, kinds } = setUp();
    const publication = main();
    const second = fill();
    const reader = read();
    let replaced = 0;
    hub.get('yard')!.events.on('replaced', () => replaced++);
    publication.write(picture(0));
    second.write(heard(0));
    second.close('The microphone is off.');
    expect(hub.get('yard')!.state).toBe('live');
    publication.write(picture(1));
    clock.advance(4000);
    const again = fill();
    // It counts from an arbitrary number of its own.
    again.write({ ...heard(5), ntp: heard(0).ntp + 4000 });
    publication.write(picture(100));
    expect(kinds()).toEqual(['0 video', '1 audio']);
    expect(replaced).toBe(0);
    expect(reader.seen()).toEqual(['v0K', 'a0', 'v1', 'a187.5', 'v100K']);
    expect(reader.reader.closed).toBe(false);
  });

  it('keeps no stream alive: without its publisher the stream is as lost as without a second source', () => {
    const { clock, hub, main, fill, read } = setUp();
    const publication = main();
    const second = fill();
    const reader = read();
    publication.close('The camera is off.');
    second.write(heard(0));
    expect(hub.get('yard')!.state).toBe('held');
    expect(reader.seen()).toEqual([]);
    clock.advance(15_000);
    expect(reader.transport.closedBecause).toBe('The camera is off. No publisher came back within 15 s.');
    expect(hub.get('yard')).toBeUndefined();
    main();
    expect(hub.get('yard')!.filled).toEqual([1]);
  });

  it('takes its tracks along when it is taken out of the configuration, and is told why', () => {
    const { hub, main, fill, kinds } = setUp();
    const reasons: string[] = [];
    main();
    const second = fill([mic], { onClose: (reason) => reasons.push(reason) });
    hub.fills.remove('yard', 'The second source was taken out of the configuration.');
    expect(kinds()).toEqual(['0 video']);
    expect(reasons).toEqual(['The second source was taken out of the configuration.']);
    second.write(heard(0));
    fill();
    expect(kinds()).toEqual(['0 video', '1 audio']);
  });

  it('is asked for a keyframe where it brings the picture', () => {
    const { main, fill, hub } = setUp();
    const asked: string[] = [];
    main([mic], { ...hooks, requestKeyframe: () => asked.push('main') });
    fill([{ ...video, id: 5 }], { ...hooks, requestKeyframe: () => asked.push('fill') });
    hub.get('yard')!.requestKeyframe();
    expect(asked).toEqual(['fill']);
  });

  it('shows its clock and its losses by the ids of the stream', () => {
    const { hub, main, fill } = setUp();
    const state = { source: 'sender-report', skewPpm: 0, lagMs: 0 } as const;
    const losses = { packets: 5, lost: 1, late: 0, duplicate: 0, concealed: 0 };
    main([video], { ...hooks, clocks: () => [{ track: 0, ...state }] });
    const more = { clocks: () => [{ track: 0, ...state }], reception: () => [{ track: 0, ...losses }] };
    fill([mic], { ...hooks, ...more });
    expect(hub.get('yard')!.clocks?.map(({ track }) => track)).toEqual([0, 1]);
    expect(hub.get('yard')!.reception).toEqual([{ track: 1, ...losses }]);
  });

  it('changes its format on its own track', () => {
    const { hub, main, fill } = setUp();
    const publication = main();
    const second = fill();
    publication.write(picture(0));
    const changed = { ...mic, format: { ...mic.format, channels: 1, config: Buffer.from('1188', 'hex') } };
    let events = 0;
    hub.get('yard')!.events.on('tracks', () => events++);
    const seen: AccessUnit[] = [];
    const writer = { write: (unit: AccessUnit) => void seen.push(unit) };
    const feed = hub.get('yard')!.feed('raw', [1], () => writer);
    feed.attach(fakeReader().reader);
    second.write(sound(0, { track: changed }));
    expect(seen[0]!.track).toMatchObject({ id: 1, format: { channels: 1 } });
    expect(events).toBe(1);
  });

  it.each([
    ['127.0.0.1', true],
    ['::1', true],
    ['::ffff:127.0.0.1', true],
    ['rtsp://127.0.0.1:8554/yard', true],
    ['rtsp://localhost/yard', true],
    ['rtsp://[::1]:8554/yard', true],
    ['10.0.0.1', false],
    ['rtsp://10.0.0.1/127.0.0.1', false],
    ['rtsp://localhost.example.org/yard', false],
    ['::1f', false],
    ['worker-1', false],
  ])('of %s has our own clock: %s', (remote, is) => {
    expect(isThisMachine({ id: 'a', door: 'rtsp', remote })).toBe(is);
  });
});
