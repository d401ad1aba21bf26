import { afterEach, describe, expect, it } from 'vitest';
import { RtpSequences } from '#feeds/rtp/rtp-sequences.ts';
import { Hub } from '#hub/hub.ts';
import { VirtualClock } from '#util/clock.ts';
import { audio, picture, video } from '../../../test/support/units.ts';
import { Multicast } from './multicast.ts';

const settings = { first: '239.255.83.254', count: 2, port: 8002, ttl: 0 };

async function setUp() {
  const clock = new VirtualClock();
  const hub = new Hub({ clock, holdMs: 0 });
  const sequences = new RtpSequences();
  const multicast = await Multicast.open('127.0.0.1', { settings, hub, sequences, clock });
  open.push(multicast);
  const publish = (name: string) =>
    hub.publish(name, { id: name, door: 'test', remote: '' }, [video, audio], { onClose() {} });
  return { clock, hub, multicast, publish };
}

const open: Multicast[] = [];
afterEach(() => {
  for (const one of open.splice(0)) one.close('The test is over.');
});

describe('the groups of streams', () => {
  it('have an address and ports of their own for each stream, and ports for each track', async () => {
    const { multicast, publish } = await setUp();
    const yard = multicast.join(publish('yard').stream, () => {});
    const hall = multicast.join(publish('hall').stream, () => {});
    expect(yard.group(0)).toEqual({ address: '239.255.83.254', ports: [8002, 8003], ttl: 0 });
    expect(yard.group(1)).toEqual({ address: '239.255.83.254', ports: [8004, 8005], ttl: 0 });
    expect(hall.group(0)).toEqual({ address: '239.255.83.255', ports: [8010, 8011], ttl: 0 });
    expect(() => hall.group(7)).toThrow(expect.objectContaining({ code: 'TRACK_NOT_FOUND' }));
  });

  it('are one for all who receive a stream: one reader of the hub, from the first who plays to the last', async () => {
    const { multicast, publish } = await setUp();
    const publication = publish('yard');
    const { stream } = publication;
    const first = multicast.join(stream, () => {});
    const second = multicast.join(stream, () => {});
    expect(first.group(0)).toEqual(second.group(0));
    expect(stream.readerCount).toBe(0);
    first.begin();
    second.begin();
    publication.write(picture(0));
    expect(stream.readerCount).toBe(1);
    expect([...stream.feeds[0]!.readers][0]?.remote).toBe('239.255.83.254');
    first.leave();
    first.leave();
    expect(stream.readerCount).toBe(1);
    second.leave();
    expect(stream.readerCount).toBe(0);
  });

  it('run out, and come back with those who leave', async () => {
    const { multicast, publish } = await setUp();
    const seats = ['a', 'b'].map((name) => multicast.join(publish(name).stream, () => {}));
    const third = publish('c').stream;
    expect(() => multicast.join(third, () => {})).toThrow(
      expect.objectContaining({ code: 'MULTICAST_UNAVAILABLE' }),
    );
    seats[0]!.leave();
    expect(multicast.join(third, () => {}).group(0).address).toBe('239.255.83.254');
  });

  it('end with their stream, and everybody is told', async () => {
    const { clock, hub, multicast, publish } = await setUp();
    const { stream } = publish('yard');
    const told: string[] = [];
    const seats = [1, 2].map((n) => multicast.join(stream, (reason) => told.push(`${n} ${reason}`)));
    for (const seat of seats) seat.begin();
    hub.close('It is over.');
    expect(told).toEqual(['1 It is over.', '2 It is over.']);
    expect(clock.pending).toBe(0);
  });

  it('go on when the configuration has others, and let nobody else in', async () => {
    const { multicast, publish } = await setUp();
    const publication = publish('yard');
    const seat = multicast.join(publication.stream, () => {});
    seat.begin();
    multicast.retire();
    publication.write(picture(0));
    expect(publication.stream.readerCount).toBe(1);
    expect(() => multicast.join(publication.stream, () => {})).toThrow(/connect again/);
    seat.leave();
    expect(publication.stream.readerCount).toBe(0);
  });
});
