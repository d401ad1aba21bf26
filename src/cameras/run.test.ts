import { describe, expect, it } from 'vitest';
import { ann, ben, counted, guard, result, setUp } from '../../test/support/runs.ts';

describe('a run', () => {
  it('lets the configuration ask for a run before its stream is there', () => {
    const { acquire, tasks, runs } = setUp();
    expect(acquire(guard, {}, 'later').run).toMatchObject({
      state: 'waiting',
      reason: 'There is no stream "later" yet.',
    });
    runs.streamStarted('later');
    expect(tasks).toHaveLength(1);
  });

  it('waits without a task while its stream is gone, and keeps its leases', async () => {
    const { acquire, tasks, runs, end } = setUp();
    acquire(ann);
    runs.streamEnded('demo', 'The publisher left.');
    expect(runs.get('nanodet-g@demo')).toMatchObject({ state: 'waiting', reason: 'The publisher left.' });
    await end(tasks[0]!);
    expect(tasks).toHaveLength(1);
    runs.streamStarted('demo');
    expect(tasks).toHaveLength(2);
    expect(runs.get('nanodet-g@demo')?.leases).toHaveLength(1);
  });

  it('tries again when its task ended with the stream, and the stream is back before anybody said so', () => {
    const { acquire, tasks, clock, runs } = setUp();
    acquire(ann);
    tasks[0]?.request.onState({ state: 'done', reason: 'The stream ended.' });
    expect(runs.get('nanodet-g@demo')).toMatchObject({ state: 'waiting', reason: 'The stream ended.' });
    clock.advance(500);
    expect(tasks).toHaveLength(2);
  });

  it('says why it failed', () => {
    const { acquire, tasks, runs } = setUp();
    acquire(ann);
    tasks[0]?.request.onState({ state: 'failed', reason: 'The model is missing.', code: 'MODEL_MISSING' });
    expect(runs.get('nanodet-g@demo')).toMatchObject({
      state: 'failed',
      reason: 'The model is missing.',
      code: 'MODEL_MISSING',
    });
  });

  it('hands on results of the present attempt only, and knows the last one and the average', () => {
    const { acquire, tasks, runs, clock } = setUp();
    const heard: number[] = [];
    runs.events.on('result', ({ pts }) => heard.push(pts));
    acquire(ann);
    expect(runs.get('nanodet-g@demo')?.averageObjects).toBeUndefined();
    runs.result('task-1', 1, result(2, 100));
    tasks[0]!.epoch = 2;
    runs.result('task-1', 1, result(9, 200));
    runs.result('task-1', 2, result(5, 300));
    runs.result('task-7', 1, result(9, 400));
    expect(heard).toEqual([100, 300]);
    expect(runs.get('nanodet-g@demo')).toMatchObject({
      lastResult: { pts: 300, objects: 5 },
      averageObjects: 3.5,
    });
    clock.advance(10_000);
    expect(runs.get('nanodet-g@demo')?.averageObjects).toBeUndefined();
  });

  it('counts on when its worker was restarted', () => {
    const { acquire, tasks, runs } = setUp();
    acquire(ann);
    runs.statistics('task-1', 1, counted(10));
    runs.statistics('task-1', 1, counted(20));
    tasks[0]!.epoch = 2;
    runs.statistics('task-1', 1, counted(1000));
    runs.statistics('task-1', 2, counted(3));
    expect(runs.get('nanodet-g@demo')?.statistics).toMatchObject({ inferred: 23, offered: 115 });
  });
});

describe('a run on a stream that comes on demand', () => {
  it('makes the stream come, waits for it without a worker, and wants it until its last lease', () => {
    const wanted: string[] = [];
    const { runs, tasks, streams } = setUp({
      onDemand: {
        has: (name) => name === 'gate',
        claim: (name) => {
          wanted.push(`wanted ${name}`);
          return () => void wanted.push(`let go ${name}`);
        },
      },
    });
    const { run, lease } = runs.acquire({ stream: 'gate', algorithm: 'barcode', holder: ann });
    expect(run).toMatchObject({ state: 'waiting', reason: 'The stream "gate" is being fetched.' });
    runs.streamEnded('gate', 'The camera refuses.');
    expect(runs.get(run.id)?.reason).toBe('The camera refuses.');
    expect(tasks).toHaveLength(0);
    streams.add('gate');
    runs.streamStarted('gate');
    expect(tasks).toHaveLength(1);
    runs.acquire({ stream: 'gate', algorithm: 'barcode', holder: ben });
    expect(wanted).toEqual(['wanted gate']);
    runs.release(lease.id);
    expect(wanted).toEqual(['wanted gate']);
    void runs.stop(run.id);
    expect(wanted).toEqual(['wanted gate', 'let go gate']);
  });

  it('is taken for the algorithms of the stream as soon as somebody watches its results', () => {
    const wanted: string[] = [];
    const { runs } = setUp({
      onDemand: {
        has: (name) => name === 'gate',
        claim: (name) => {
          wanted.push(name);
          return () => {};
        },
      },
    });
    runs.setDefaults('gate', [{ algorithm: 'barcode' }]);
    runs.viewerJoined('gate', 'a');
    expect(wanted).toEqual(['gate']);
  });
});
