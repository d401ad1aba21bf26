import { describe, expect, it } from 'vitest';
import { Backoff } from '#util/backoff.ts';
import { VirtualClock } from '#util/clock.ts';
import { FakeChild } from '../../test/support/fake-child.ts';
import { type Child, SupervisedProcess } from './supervised-process.ts';

function supervise(spawn?: () => Child) {
  const clock = new VirtualClock();
  const children: FakeChild[] = [];
  const child = new SupervisedProcess({
    spawn:
      spawn ??
      (() => {
        const one = new FakeChild();
        children.push(one);
        return one;
      }),
    clock,
    backoff: new Backoff({ first: 100, random: () => 0 }),
  });
  const states: string[] = [];
  child.events.on('changed', ({ state }) => states.push(state));
  child.start();
  /** Lets time pass while the process answers four times a second. */
  const live = (ms: number) => {
    for (let t = 0; t < ms; t += 250) {
      clock.advance(250);
      child.alive();
    }
  };
  return { clock, children, child, states, live, last: () => children.at(-1)! };
}

describe('SupervisedProcess', () => {
  it('is starting until the process answers, then running', () => {
    const { child, last, states } = supervise();
    expect(child.status).toMatchObject({ state: 'starting', pid: last().pid, restarts: 0 });
    child.alive();
    expect(child.status).toMatchObject({ state: 'running', pid: last().pid });
    expect(states).toEqual(['starting', 'running']);
  });

  it('starts a killed process again within 100 ms and says what killed it', () => {
    const { child, children, clock, live } = supervise();
    live(1000);
    children[0]!.exit(null, 'SIGKILL');
    expect(child.status).toMatchObject({ state: 'waiting', reason: 'killed by SIGKILL', restartInMs: 100 });
    expect(child.status.pid).toBeUndefined();
    clock.advance(100);
    expect(children).toHaveLength(2);
    expect(child.status).toMatchObject({ state: 'starting', restarts: 1, reason: 'killed by SIGKILL' });
  });

  it('names the exit code and the last line of stderr, also when it comes after the exit', () => {
    const { child, last } = supervise();
    last().emit('exit', 3, null);
    last().stderr.emit('data', Buffer.from('Error: no model\n'));
    last().emit('close', 3, null);
    expect(child.status.reason).toBe('exit code 3: Error: no model');
  });

  it('does not wait for ever for a stderr that a grandchild holds open', () => {
    const { child, clock, last } = supervise();
    last().emit('exit', 1, null);
    clock.advance(50);
    expect(child.status).toMatchObject({ state: 'waiting', reason: 'exit code 1' });
    last().emit('close', 1, null);
    expect(child.status.state).toBe('waiting');
  });

  it('kills a process that fell silent for two seconds', () => {
    const { child, clock, live, children } = supervise();
    live(1000);
    clock.advance(1750);
    expect(child.status.state).toBe('running');
    clock.advance(250);
    expect(children[0]!.signals).toEqual(['SIGKILL']);
    expect(child.status).toMatchObject({ state: 'waiting', reason: 'did not answer for 2.0 s' });
  });

  it('replaces a process for the reason it is given: SIGTERM, and SIGKILL a second later', () => {
    const { child, children, clock, live } = supervise();
    live(1000);
    children[0]!.ignoresSigterm = true;
    child.replace('used 2000 MB of memory');
    child.replace('said once more');
    child.alive();
    clock.advance(999);
    expect(children[0]!.signals).toEqual(['SIGTERM']);
    clock.advance(1);
    expect(children[0]!.signals).toEqual(['SIGTERM', 'SIGKILL']);
    expect(child.status).toMatchObject({ state: 'waiting', reason: 'used 2000 MB of memory' });
    clock.advance(100);
    child.alive();
    expect(child.status).toMatchObject({ state: 'running', restarts: 1 });
    child.replace('once more');
    expect(children[1]!.signals).toEqual(['SIGTERM']);
    expect(child.status).toMatchObject({ state: 'waiting', reason: 'once more' });
  });

  it('kills a process that is not ready after ten seconds', () => {
    const { child, clock, last } = supervise();
    clock.advance(10_000);
    expect(child.status.state).toBe('starting');
    clock.advance(250);
    expect(last().signals).toEqual(['SIGKILL']);
    expect(child.status.reason).toBe('was not ready after 10.3 s');
  });

  it('does not count the time in which the server itself stood still as silence', () => {
    // The clock jumps while no timer runs, as when the event loop is blocked.
    const clock = new (class extends VirtualClock {
      jump = 0;
      override now() {
        return super.now() + this.jump;
      }
    })();
    const blocked = new SupervisedProcess({ spawn: () => new FakeChild(), clock });
    blocked.start();
    blocked.alive();
    clock.jump = 5000;
    clock.advance(250);
    expect(blocked.status.state).toBe('running');
    clock.advance(1500);
    expect(blocked.status.state).toBe('running');
    clock.advance(250);
    expect(blocked.status).toMatchObject({ state: 'waiting', reason: 'did not answer for 2.0 s' });
  });

  it('waits longer after each failure, and forgets the failures after 30 s of health', () => {
    const { child, clock, last, live } = supervise();
    const waits: (number | undefined)[] = [];
    const fail = () => {
      last().exit(1);
      waits.push(child.status.restartInMs);
      clock.advance(child.status.restartInMs ?? 0);
    };
    for (let i = 0; i < 9; i++) fail();
    live(29_000);
    fail();
    live(30_500);
    fail();
    expect(waits).toEqual([100, 500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000, 100]);
  });

  it('gives a condemned process half a second to say why it ends', () => {
    const { child, clock, children, live } = supervise();
    live(1000);
    child.condemn('lost its connection');
    children[0]!.exit(7);
    expect(child.status.reason).toBe('exit code 7');
    clock.advance(100);
    child.alive();
    child.condemn('lost its connection');
    clock.advance(300);
    child.condemn('said once more');
    clock.advance(200);
    expect(children[1]!.signals).toEqual(['SIGKILL']);
    expect(child.status.reason).toBe('lost its connection');
    clock.advance(500);
    child.alive();
    child.condemn('lost its connection again');
    children[2]!.exit(0);
    expect(child.status.reason).toBe('lost its connection again');
  });

  it('tries again when the process cannot be started', () => {
    let attempts = 0;
    const { child, clock } = supervise(() => {
      attempts++;
      throw new Error('too many processes');
    });
    expect(child.status).toMatchObject({
      state: 'waiting',
      reason: 'could not be started: too many processes',
    });
    clock.advance(600);
    expect(attempts).toBe(3);
  });

  it('stops with SIGTERM and is gone for good', async () => {
    const { child, children, clock, live } = supervise();
    live(1000);
    await child.stop();
    expect(children[0]!.signals).toEqual(['SIGTERM']);
    expect(child.status.state).toBe('stopped');
    child.start();
    clock.advance(60_000);
    expect(children).toHaveLength(1);
    expect(clock.pending).toBe(0);
  });

  it('stops with SIGKILL when SIGTERM was not enough for two seconds', async () => {
    const { child, clock, last } = supervise();
    last().ignoresSigterm = true;
    const stopped = child.stop();
    expect(child.stop()).toBe(stopped);
    clock.advance(1999);
    expect(last().signals).toEqual(['SIGTERM']);
    clock.advance(1);
    await stopped;
    expect(last().signals).toEqual(['SIGTERM', 'SIGKILL']);
    expect(clock.pending).toBe(0);
  });

  it('stops while it waits to start again', async () => {
    const { child, children, clock } = supervise();
    children[0]!.exit(1);
    await child.stop();
    clock.advance(60_000);
    expect(children).toHaveLength(1);
    expect(clock.pending).toBe(0);
  });
});
