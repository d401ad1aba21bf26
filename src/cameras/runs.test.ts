import { describe, expect, it } from 'vitest';
import { ann, ben, guard, setUp } from '../../test/support/runs.ts';

describe('RunManager', () => {
  it('starts a run with the first lease, with all parameters filled in', () => {
    const { acquire, tasks, runs } = setUp();
    const { run, lease } = acquire(ann, { threshold: 0.6 });
    expect(run).toMatchObject({
      id: 'nanodet-g@demo',
      state: 'starting',
      parameters: { threshold: 0.6, fps: 5 },
    });
    expect(run.leases).toEqual([
      { id: lease.id, holder: 'viewer', reason: 'clicked Detect people', since: lease.since },
    ]);
    expect(tasks[0]?.request).toMatchObject({
      role: 'pipeline',
      affinity: 'demo',
      spec: { kind: 'run', run: run.id, stream: 'demo', manifest: '/models/nanodet-g.json' },
    });
    tasks[0]?.request.onState({ state: 'running' });
    expect(runs.get(run.id)?.state).toBe('running');
  });

  it('has readable ids that say stream and algorithm', () => {
    const { acquire } = setUp();
    expect(acquire(ann, {}, 'yard/gate-1').run.id).toBe('nanodet-g@yard:gate-1');
  });

  it('shares a run among all who ask for it, and ends it with the last', async () => {
    const { acquire, tasks, runs, events } = setUp();
    const a = acquire(ann);
    const b = acquire(ben);
    expect(tasks).toHaveLength(1);
    expect(runs.release(a.lease.id)).toBe(true);
    expect(tasks[0]?.stopping).toBe(false);
    expect(runs.release(b.lease.id)).toBe(true);
    expect(tasks[0]?.stopping).toBe(true);
    expect(runs.list()).toEqual([]);
    expect(runs.release(b.lease.id)).toBe(false);
    expect(events).toEqual([
      'started nanodet-g@demo',
      'ended lease-1: It was given back.',
      'ended lease-2: It was given back.',
      'stopped nanodet-g@demo: Nobody asks for it any more.',
    ]);
  });

  it('gives a holder who asks twice the same lease', () => {
    const { acquire } = setUp();
    expect(acquire(ann).lease).toBe(acquire(ann).lease);
  });

  it('lets a run outlive a viewer that vanished by two seconds, so that a reload of the page finds it', () => {
    const { acquire, tasks, runs, clock } = setUp();
    acquire(ann);
    runs.viewerLeft('ann');
    clock.advance(1900);
    acquire(ben);
    clock.advance(60_000);
    expect(tasks).toHaveLength(1);
    expect(tasks[0]?.stopping).toBe(false);
    runs.releaseHolder('ben');
    clock.advance(2000);
    expect(tasks[0]?.stopping).toBe(true);
    expect(clock.pending).toBe(0);
  });

  it('waits for the end of the run before it when it is started again', async () => {
    const { acquire, tasks, runs, end } = setUp();
    runs.release(acquire(ann).lease.id);
    const { run } = acquire(ann);
    expect(run.state).toBe('starting');
    expect(tasks).toHaveLength(1);
    await end(tasks[0]!);
    expect(tasks).toHaveLength(2);
  });

  it('names what there is when an algorithm is unknown, and refuses a stream that is not there', () => {
    const { runs, acquire } = setUp();
    expect(() => runs.acquire({ stream: 'demo', algorithm: 'x', holder: ann })).toThrowError(
      expect.objectContaining({
        code: 'ALGORITHM_UNKNOWN',
        message: 'There is no algorithm "x". There are: nanodet-g, barcode.',
      }),
    );
    expect(() => acquire(ann, {}, 'nowhere')).toThrowError(
      expect.objectContaining({ code: 'STREAM_UNKNOWN' }),
    );
    expect(() => acquire(ann, { treshold: 1 })).toThrowError(
      expect.objectContaining({ code: 'PARAMETERS_INVALID' }),
    );
    expect(runs.list()).toEqual([]);
  });

  it('tells every holder when a run is stopped', async () => {
    const { acquire, tasks, runs, events, end } = setUp();
    acquire(ann);
    acquire(guard);
    const stopped = runs.stop('nanodet-g@demo');
    await end(tasks[0]!);
    await stopped;
    expect(events.slice(1)).toEqual([
      'ended lease-1: The run was stopped.',
      'ended lease-2: The run was stopped.',
      'stopped nanodet-g@demo: The run was stopped.',
    ]);
    await expect(runs.stop('nanodet-g@demo')).rejects.toMatchObject({ code: 'RUN_UNKNOWN', status: 404 });
  });

  it('ends everything when it is closed, and leaves no timer', async () => {
    const { runs, acquire, tasks, clock, end } = setUp();
    acquire(ann);
    acquire(ben, {}, 'yard/gate-1');
    runs.viewerLeft('ben');
    const closed = runs.close();
    await end(tasks[0]!);
    await end(tasks[1]!);
    await closed;
    expect(runs.list()).toEqual([]);
    expect(clock.pending).toBe(0);
  });
});
