import { describe, expect, it } from 'vitest';
import { aacTrack, h264Track } from '../../test/support/fmp4-units.ts';
import { Continuity } from './continuity.ts';
import { Publication } from './publication.ts';
import { Seats } from './seats.ts';

const stream = { tracks: [], accept() {}, changeTrack() {}, abandon() {}, requestKeyframe() {} };

/** Each seat's end is written into `ends`. */
function setUp() {
  const ends: string[] = [];
  const seat = (id: string, tracks = [h264Track]) => {
    const hooks = { onClose: (reason: string) => ends.push(`${id}: ${reason}`) };
    const publication = new Publication(stream, { id, door: 'test', remote: '' }, hooks, new Map(), 0);
    return { publication, times: new Continuity().join(), tracks };
  };
  return { seats: new Seats(), seat, ends };
}

describe('the seats of a stream', () => {
  it('give a publisher its place at once where nothing stands in', () => {
    const { seats, seat, ends } = setUp();
    const [first, second] = [seat('first'), seat('second')];
    expect(seats.come(first)).toBe(false);
    seats.take(first);
    expect(seats.come(second)).toBe(false);
    seats.take(second);
    expect(seats.shown).toBe(second);
    expect(ends).toEqual(['first: Another publisher took over.']);
  });

  it('let a publisher wait while something stands in, and only the newest one', () => {
    const { seats, seat, ends } = setUp();
    const [standby, first, second] = [seat('standby'), seat('first'), seat('second')];
    seats.standIn(standby);
    expect(seats.come(first)).toBe(true);
    expect(seats.come(second)).toBe(true);
    expect([seats.shown, seats.taker]).toEqual([standby, second]);
    seats.take(second);
    expect([seats.main, seats.coming, seats.standby]).toEqual([second, undefined, undefined]);
    expect(ends).toEqual(['first: Another publisher took over.', 'standby: The stream is back.']);
  });

  it('let a publisher without a picture wait for no keyframe', () => {
    const { seats, seat } = setUp();
    seats.standIn(seat('standby'));
    expect(seats.come(seat('radio', [aacTrack]))).toBe(false);
  });

  it('say which place is empty when somebody leaves, and nothing of who had none', () => {
    const { seats, seat } = setUp();
    const [standby, coming] = [seat('standby'), seat('coming')];
    seats.standIn(standby);
    seats.come(coming);
    expect(seats.leave(seat('other').publication)).toBeUndefined();
    expect(seats.leave(coming.publication)).toBe('coming');
    expect(seats.leave(standby.publication)).toBe('standby');
    expect(seats.leave(standby.publication)).toBeUndefined();
    expect(seats.shown).toBeUndefined();
  });
});
