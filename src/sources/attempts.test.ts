import { describe, expect, it } from 'vitest';
import { VirtualClock } from '#util/clock.ts';
import { NamedError } from '#util/named-error.ts';
import { type AttemptEvents, Attempts } from './attempts.ts';

const gone = new NamedError('GONE', 'It is gone.', 502);

function setUp() {
  const clock = new VirtualClock();
  const events: AttemptEvents[] = [];
  const closed: string[] = [];
  const states: string[] = [];
  const attempts = new Attempts({
    clock,
    random: () => 0,
    open: (_, told) => {
      events.push(told);
      return { close: async (reason) => void closed.push(reason) };
    },
    onState: ({ state, reason }) => void states.push(reason === undefined ? state : `${state}: ${reason}`),
  });
  return { clock, events, closed, states, attempts };
}

describe('attempts at a server', () => {
  it('begin anew after waits that double, from the first failure on, and say what was wrong meanwhile', () => {
    const { clock, events, closed, states, attempts } = setUp();
    for (const ms of [500, 1000, 2000]) {
      events.at(-1)!.failed(gone);
      expect(attempts.status).toMatchObject({ state: 'waiting', code: 'GONE', trouble: 'It is gone.' });
      const made = events.length;
      clock.advance(ms - 1);
      expect(events).toHaveLength(made);
      clock.advance(1);
      expect(events).toHaveLength(made + 1);
    }
    expect(states.slice(0, 3)).toEqual([
      'waiting: It is gone. The next attempt is in 0.5 s.',
      'starting: It is gone.',
      'waiting: It is gone. The next attempt is in 1.0 s.',
    ]);
    expect(closed).toHaveLength(3);
    events.at(-1)!.published();
    expect(attempts.status).toMatchObject({ state: 'running' });
  });

  it('begin their waits anew after 30 s of health, and not before', () => {
    const { clock, events, states } = setUp();
    events.at(-1)!.failed(gone);
    clock.advance(500);
    events.at(-1)!.published();
    // Its tracks changed: that is no other publication.
    events.at(-1)!.published();
    clock.advance(29_999);
    events.at(-1)!.failed(gone);
    clock.advance(1000);
    events.at(-1)!.published();
    clock.advance(30_000);
    events.at(-1)!.failed(gone);
    expect(states.filter((state) => state.startsWith('waiting')).map((state) => state.slice(-6))).toEqual([
      '0.5 s.',
      '1.0 s.',
      '0.5 s.',
    ]);
  });

  it('that can go another way do so at once', () => {
    const { events, states } = setUp();
    events.at(-1)!.failed(gone, true);
    expect(events).toHaveLength(2);
    expect(states).toEqual([]);
  });

  it('that are over say nothing any more', async () => {
    const { clock, events, states, attempts, closed } = setUp();
    const [first] = events;
    first!.failed(gone);
    first!.failed(gone);
    first!.published();
    expect(states).toHaveLength(1);
    clock.advance(500);
    await attempts.stop('Enough.');
    await attempts.stop('Again.');
    events.at(-1)!.failed(gone);
    expect(closed).toEqual(['It is gone.', 'Enough.']);
    expect(attempts.status.state).toBe('starting');
    expect(clock.pending).toBe(0);
  });

  it('that can never succeed are not made again', () => {
    const attempts = new Attempts({
      open: () => {
        throw new NamedError('RTMP_ADDRESS_INVALID', 'The address is none.');
      },
      onState: () => {},
    });
    expect(attempts.status).toMatchObject({ state: 'failed', code: 'RTMP_ADDRESS_INVALID', final: true });
  });
});
