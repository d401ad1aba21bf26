import { describe, expect, it } from 'vitest';
import { Hub } from '#hub/hub.ts';
import { VirtualClock } from '#util/clock.ts';
import { NamedError } from '#util/named-error.ts';
import { video } from '../../test/support/units.ts';
import type { ForwardConnection, ForwardEvents, ForwardTarget } from './contract.ts';
import type { ForwardSettings, ForwardStatus } from './forward.ts';
import { Forwards } from './forwards.ts';

const URL = 'rtsp://feeder:secret@cloud/yard';
const settings: ForwardSettings = {
  stream: 'yard',
  url: URL,
  trust: { fingerprint: undefined, insecure: false },
};

/** An attempt as the test leads it. */
interface Attempt extends ForwardConnection {
  readonly target: ForwardTarget;
  readonly events: ForwardEvents;
  bytesSent: number;
  closed: string | undefined;
  /** Lets `close` resolve; at once by default. */
  gone: () => void;
}

function setUp(options: { slowClose?: boolean; refuse?: NamedError; holdMs?: number } = {}) {
  const clock = new VirtualClock();
  const hub = new Hub({ clock, holdMs: options.holdMs ?? 15_000 });
  const attempts: Attempt[] = [];
  const states: string[] = [];
  const open = (target: ForwardTarget, events: ForwardEvents): ForwardConnection => {
    if (options.refuse) throw options.refuse;
    const { promise, resolve } = Promise.withResolvers<void>();
    if (!options.slowClose) resolve();
    const attempt: Attempt = {
      target,
      events,
      bytesSent: 0,
      closed: undefined,
      gone: resolve,
      close(reason) {
        attempt.closed ??= reason;
        return promise;
      },
    };
    attempts.push(attempt);
    return attempt;
  };
  const forwards = new Forwards([settings], {
    hub,
    clock,
    opener: () => open,
    onState: ({ state }: ForwardStatus) => void states.push(state),
    random: () => 0,
  });
  const publish = (id = 'p') =>
    hub.publish('yard', { id, door: 'rtsp', remote: 'x' }, [video], { onClose: () => {} });
  const status = () => forwards.list()[0];
  /** What was promised has come true. */
  const settle = () => new Promise((resolve) => setImmediate(resolve));
  return { clock, hub, attempts, states, forwards, publish, status, settle };
}

describe('a forward', () => {
  it('waits for its stream, connects when it comes, and shows its address without the password', async () => {
    const { attempts, publish, status, states } = setUp();
    expect(status()).toMatchObject({ state: 'idle', reason: 'Nobody publishes "yard" now.' });
    publish();
    expect(attempts[0]?.target).toMatchObject({ url: URL, stream: { name: 'yard' } });
    expect(status()).toMatchObject({ state: 'starting', url: 'rtsp://cloud/yard' });
    attempts[0]!.events.onUp();
    attempts[0]!.bytesSent = 500;
    expect(status()).toMatchObject({ state: 'running', bytesSent: 500 });
    expect(states).toEqual(['starting', 'running']);
  });

  it('tries again after waits that double from half a second to half a minute, from the first failure on', async () => {
    const { clock, attempts, publish, status, settle } = setUp();
    publish();
    const waits: number[] = [];
    for (let n = 0; n < 9; n++) {
      attempts.at(-1)!.events.onEnd({ reason: 'It is off.', code: 'RTSP_UNREACHABLE' });
      await settle();
      const before = clock.now();
      const known = attempts.length;
      while (attempts.length === known) clock.advance(100);
      waits.push(clock.now() - before);
    }
    expect(waits).toEqual([500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000]);
    expect(status()).toMatchObject({ state: 'starting', reason: 'It is off.', code: 'RTSP_UNREACHABLE' });
    attempts.at(-1)!.events.onEnd({ reason: 'It is off.' });
    expect(status()).toMatchObject({
      state: 'waiting',
      reason: 'It is off. The next attempt is in 30.0 s.',
      trouble: 'It is off.',
    });
  });

  it('begins with short waits again once an attempt lasted', async () => {
    const { clock, attempts, publish, status, settle } = setUp();
    publish();
    for (let n = 0; n < 4; n++) {
      attempts.at(-1)!.events.onEnd({ reason: 'It is off.' });
      await settle();
      clock.advance(5000);
    }
    attempts.at(-1)!.events.onUp();
    clock.advance(30_000);
    attempts.at(-1)!.events.onEnd({ reason: 'It is off.' });
    expect(status()?.reason).toContain('in 0.5 s');
  });

  it('goes on while the publisher is replaced, and waits when the stream ends', async () => {
    const { clock, hub, attempts, publish, status, settle } = setUp();
    const first = publish('a');
    attempts[0]!.events.onUp();
    publish('b');
    // A reader holds the stream, as the connection of a forward does.
    expect([first.closed, attempts.length, status()?.state]).toEqual([true, 1, 'running']);
    hub.close('It is over.');
    await settle();
    expect(attempts[0]!.closed).toBe('The stream has ended.');
    expect(status()?.state).toBe('idle');
    expect(clock.pending).toBe(0);
    publish('c');
    expect(attempts).toHaveLength(2);
  });

  it('connects for what stands in for the source too, and stays when the source comes', () => {
    const { hub, attempts, publish, status } = setUp();
    hub.standIns.publish('yard', { id: 's', door: 'source', remote: 'x' }, [video], { onClose: () => {} });
    expect(attempts).toHaveLength(1);
    attempts[0]!.events.onUp();
    publish();
    expect([attempts.length, attempts[0]!.closed, status()?.state]).toEqual([1, undefined, 'running']);
    hub.close('It is over.');
  });

  it('does not try again what can never work', () => {
    const { clock, publish, status } = setUp({
      refuse: new NamedError('RTSP_ADDRESS_INVALID', 'No address.'),
    });
    publish();
    expect(status()).toMatchObject({ state: 'failed', reason: 'No address.', code: 'RTSP_ADDRESS_INVALID' });
    expect(clock.pending).toBe(0);
  });

  it('lets two connections never publish at a time', async () => {
    const { clock, hub, attempts, publish, settle } = setUp({ slowClose: true });
    publish();
    attempts[0]!.events.onEnd({ reason: 'It hangs.' });
    clock.advance(60_000);
    expect(attempts).toHaveLength(1);
    attempts[0]!.gone();
    await settle();
    expect(attempts).toHaveLength(2);
    hub.close('It is over.');
    publish();
    expect(attempts).toHaveLength(2);
    attempts[1]!.gone();
    await settle();
    expect(attempts).toHaveLength(3);
  });

  it('passes over what an attempt says that is over', async () => {
    const { attempts, publish, status, settle, clock } = setUp();
    publish();
    attempts[0]!.events.onEnd({ reason: 'It is off.' });
    await settle();
    clock.advance(500);
    attempts[0]!.events.onUp();
    attempts[0]!.events.onEnd({ reason: 'Again.' });
    expect(status()?.state).toBe('starting');
    expect(attempts).toHaveLength(2);
  });

  it('is a standing wish for a stream on demand, and says why that does not come', async () => {
    const { hub, forwards, status } = setUp();
    let summoned = false;
    const summoner = {
      summon: () => {
        summoned = true;
      },
      dismiss() {
        summoned = false;
      },
      get trouble() {
        return { reason: 'The camera is off.', final: false };
      },
    };
    hub.onDemand.add('yard', summoner);
    expect(summoned).toBe(true);
    expect(status()).toMatchObject({ state: 'idle', reason: 'The camera is off.' });
    await forwards[Symbol.asyncDispose]();
  });
});

describe('forwards of a changed configuration', () => {
  it('begin, end, and begin anew where they are other ones; the same does not notice', async () => {
    const { attempts, forwards, publish, settle } = setUp();
    publish();
    const other: ForwardSettings = { ...settings, url: 'srt://archive:9000' };
    forwards.apply([settings, other]);
    expect(attempts.map(({ target }) => target.url)).toEqual([URL, 'srt://archive:9000']);
    const trusting = { ...settings, trust: { fingerprint: undefined, insecure: true } };
    forwards.apply([trusting, other]);
    await settle();
    expect(attempts[0]!.closed).toBe('The forward was taken out of the configuration.');
    expect(attempts[1]!.closed).toBeUndefined();
    expect(attempts[2]?.target.trust?.insecure).toBe(true);
    forwards.apply([other]);
    await settle();
    expect(forwards.list().map(({ url }) => url)).toEqual(['srt://archive:9000']);
  });

  it('wait for the end of what had their place', async () => {
    const { attempts, forwards, publish, settle } = setUp({ slowClose: true });
    publish();
    forwards.apply([]);
    forwards.apply([settings]);
    await settle();
    expect(attempts).toHaveLength(1);
    attempts[0]!.gone();
    await settle();
    expect(attempts).toHaveLength(2);
  });

  it('leave nothing behind when the server stops', async () => {
    const { attempts, forwards, publish, clock, hub } = setUp();
    publish();
    await forwards[Symbol.asyncDispose]();
    expect(attempts[0]!.closed).toBe('The server stops.');
    expect(clock.pending).toBe(0);
    publish('later');
    expect(attempts).toHaveLength(1);
    expect(hub.events.listenerCount('streamAdded')).toBe(0);
  });
});
