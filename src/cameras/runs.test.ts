import { describe, expect, it } from 'vitest';
import type { Manifest, Result, RunStatistics } from '#algorithms/contract.ts';
import { VirtualClock } from '#util/clock.ts';
import { noStatistics } from './run-statistics.ts';
import { type Executor, type Holder, RunManager, type RunTask } from './runs.ts';

function manifest(id: string): { manifest: Manifest; path: string } {
  return {
    path: `/models/${id}.json`,
    manifest: {
      schema: 1,
      id,
      version: '1',
      title: { en: id },
      task: 'detect',
      input: { size: { kind: 'source' }, format: 'rgb24' },
      labels: ['person'],
      parameters: {
        type: 'object',
        properties: {
          threshold: { type: 'number', default: 0.4, minimum: 0, maximum: 1 },
          classes: { type: 'array', items: { type: 'string' }, default: ['person'] },
        },
        additionalProperties: false,
      },
      licence: 'Apache-2.0',
      adapter: { kind: 'plugin', file: 'x.ts' },
    },
  };
}

/** A task as the pool would run it: it stops when the test says so. */
class FakeTask implements RunTask {
  readonly id: string;
  readonly request: Parameters<Executor['start']>[0];
  readonly stopped = Promise.withResolvers<void>();
  epoch = 1;
  stopping = false;

  constructor(id: string, request: Parameters<Executor['start']>[0]) {
    this.id = id;
    this.request = request;
  }

  stop(): Promise<void> {
    this.stopping = true;
    return this.stopped.promise;
  }
}

function setUp(more: Partial<ConstructorParameters<typeof RunManager>[0]> = {}) {
  const clock = new VirtualClock();
  const streams = new Set(['demo', 'yard/gate-1']);
  const tasks: FakeTask[] = [];
  const runs = new RunManager({
    clock,
    algorithms: new Map([
      ['nanodet-g', manifest('nanodet-g')],
      ['barcode', manifest('barcode')],
    ]),
    streamExists: (name) => streams.has(name),
    executor: {
      start: (request) => {
        const task = new FakeTask(`task-${tasks.length + 1}`, request);
        tasks.push(task);
        return task;
      },
    },
    ...more,
  });
  const events: string[] = [];
  runs.events.on('runStarted', ({ id }) => events.push(`started ${id}`));
  runs.events.on('runStopped', ({ id }, reason) => events.push(`stopped ${id}: ${reason}`));
  runs.events.on('leaseEnded', ({ id }, reason) => events.push(`ended ${id}: ${reason}`));
  const end = async (task: FakeTask) => {
    task.stopped.resolve();
    await new Promise((resolve) => setImmediate(resolve));
  };
  const acquire = (holder: Holder, parameters?: Record<string, unknown>, stream = 'demo') =>
    runs.acquire({ stream, algorithm: 'nanodet-g', holder, parameters });
  return { clock, streams, tasks, runs, events, acquire, end };
}

const ann: Holder = { kind: 'viewer', id: 'ann', reason: 'clicked Detect people' };
const ben: Holder = { kind: 'viewer', id: 'ben', reason: 'clicked Detect people' };
const guard: Holder = { kind: 'config', id: 'guard', reason: 'always' };

const result = (objects: number, pts = 9000): Result => ({
  stream: 'demo',
  algorithm: 'nanodet-g',
  run: 'nanodet-g@demo',
  pts,
  ntp: 1,
  width: 640,
  height: 360,
  objects: Array.from({ length: objects }, () => ({
    label: 'person',
    score: 0.9,
    box: [0, 0, 0.1, 0.1] as const,
    observed: true,
  })),
  timing: { queueMs: 0, inferMs: 20 },
});

const counted = (inferred: number): RunStatistics => ({ ...noStatistics, offered: inferred * 5, inferred });

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

  it('shares a run with who names the parameters it has, or none', () => {
    const { acquire } = setUp();
    acquire(ann, { threshold: 0.6, classes: ['person'] });
    expect(acquire(ben).run.parameters['threshold']).toBe(0.6);
    expect(acquire(ben, { classes: ['person'] }).run.leases).toHaveLength(2);
  });

  it('refuses other parameters while somebody else holds the run, and says which', () => {
    const { acquire } = setUp();
    acquire(ann, { threshold: 0.6 });
    expect(() => acquire(ben, { threshold: 0.4 })).toThrowError(
      expect.objectContaining({
        code: 'RUN_CONFLICT',
        status: 409,
        message:
          'Run "nanodet-g@demo" has "threshold" 0.6, not 0.4, and is held by others (1). ' +
          'Ask without "threshold" to share it, or stop it first.',
      }),
    );
  });

  it('goes on with the new parameters of its only holder, one task after the other', async () => {
    const { acquire, tasks, runs, end } = setUp();
    const { lease } = acquire(ann, { threshold: 0.6 });
    const again = acquire(ann, { fps: 2 });
    expect(again.lease).toBe(lease);
    expect(again.run).toMatchObject({ parameters: { threshold: 0.6, fps: 2 }, state: 'starting' });
    expect(tasks).toHaveLength(1);
    await end(tasks[0]!);
    expect(tasks[1]?.request.spec.parameters).toMatchObject({ threshold: 0.6, fps: 2 });
    tasks[0]?.request.onState({ state: 'failed', reason: 'late' });
    expect(runs.get('nanodet-g@demo')?.state).toBe('starting');
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

  it('runs the defaults of a stream while somebody watches it', () => {
    const { runs, tasks, clock } = setUp();
    runs.setDefaults('demo', [{ algorithm: 'nanodet-g', parameters: { fps: 10 } }, { algorithm: 'barcode' }]);
    expect(tasks).toHaveLength(0);
    runs.viewerJoined('demo', 'ann');
    runs.viewerJoined('demo', 'ben');
    expect(tasks.map(({ request }) => request.spec.algorithm)).toEqual(['nanodet-g', 'barcode']);
    expect(tasks[0]?.request.spec.parameters).toMatchObject({ fps: 10 });
    runs.viewerLeft('ann');
    clock.advance(5000);
    expect(runs.list()).toHaveLength(2);
    runs.viewerLeft('ben');
    clock.advance(5000);
    expect(runs.list()).toEqual([]);
  });

  it('lets a viewer give its own lease on a default back and take it again', () => {
    const { runs, acquire } = setUp();
    runs.setDefaults('demo', [{ algorithm: 'nanodet-g' }]);
    runs.viewerJoined('demo', 'ann');
    const [lease] = runs.leasesOf('ann');
    runs.release(lease!.id);
    expect(runs.list()).toEqual([]);
    runs.streamStarted('demo');
    expect(runs.list()).toEqual([]);
    acquire(ann);
    runs.viewerLeft('ann');
    expect(runs.leasesOf('ann')).toEqual([]);
  });

  it('gives a viewer the defaults of a stream when the stream comes', () => {
    const { runs, streams, tasks } = setUp();
    runs.setDefaults('later', [{ algorithm: 'nanodet-g' }]);
    runs.viewerJoined('later', 'ann');
    expect(tasks).toHaveLength(0);
    streams.add('later');
    runs.streamStarted('later');
    expect(tasks).toHaveLength(1);
  });

  it('lets who only watches share what runs with other parameters', () => {
    const { runs, acquire } = setUp();
    acquire(ben, { threshold: 0.9 });
    runs.setDefaults('demo', [{ algorithm: 'nanodet-g', parameters: { threshold: 0.2 } }]);
    runs.viewerJoined('demo', 'ann');
    expect(runs.get('nanodet-g@demo')).toMatchObject({ parameters: { threshold: 0.9 }, leases: [{}, {}] });
  });

  it('gives those who watch already what is new in the defaults, and takes what is gone', async () => {
    const { runs, tasks, end } = setUp();
    runs.setDefaults('demo', [{ algorithm: 'nanodet-g' }]);
    runs.viewerJoined('demo', 'ann');
    runs.viewerJoined('demo', 'ben');
    runs.setDefaults('demo', [{ algorithm: 'barcode', parameters: { fps: 3 } }]);
    expect(runs.list().map(({ algorithm, leases }) => `${algorithm} ${leases.length}`)).toEqual([
      'barcode 2',
    ]);
    expect(tasks.map(({ request, stopping }) => `${request.spec.algorithm} ${stopping}`)).toEqual([
      'nanodet-g true',
      'barcode false',
    ]);
    expect(tasks[1]?.request.spec.parameters).toMatchObject({ fps: 3 });
    await end(tasks[0]!);
    runs.setDefaults('demo', []);
    expect(runs.list()).toEqual([]);
  });

  it('leaves a viewer what it asked for itself, and what it gave back, when the defaults change', () => {
    const { runs, acquire } = setUp();
    runs.setDefaults('demo', [{ algorithm: 'nanodet-g' }, { algorithm: 'barcode' }]);
    runs.viewerJoined('demo', 'ann');
    acquire(ann);
    const barcode = runs.leasesOf('ann').find(({ run }) => run.startsWith('barcode'));
    runs.release(barcode!.id);
    runs.setDefaults('demo', [{ algorithm: 'barcode', parameters: { threshold: 0.9 } }]);
    expect(runs.list().map(({ algorithm }) => algorithm)).toEqual(['nanodet-g']);
  });

  it('goes on with changed parameters of the defaults, unless somebody named some', async () => {
    const { runs, tasks, acquire, end } = setUp();
    const threshold = (value: number) =>
      runs.setDefaults('demo', [{ algorithm: 'nanodet-g', parameters: { threshold: value } }]);
    threshold(0.2);
    runs.viewerJoined('demo', 'ann');
    // Who asks without naming any takes what is configured, now and later.
    acquire(ben);
    threshold(0.3);
    expect(tasks[0]?.stopping).toBe(true);
    await end(tasks[0]!);
    expect(tasks[1]?.request.spec.parameters).toMatchObject({ threshold: 0.3 });
    acquire(ben, { threshold: 0.3 });
    threshold(0.4);
    expect(runs.get('nanodet-g@demo')?.parameters).toMatchObject({ threshold: 0.3 });
    expect(tasks).toHaveLength(2);
  });

  it('lets a run of an algorithm that is gone go on until it ends', () => {
    const { runs, acquire } = setUp();
    runs.setDefaults('demo', [{ algorithm: 'nanodet-g' }]);
    runs.viewerJoined('demo', 'ann');
    const { lease } = acquire(ben);
    const rest = new Map([['barcode', manifest('barcode')]]);
    expect(() => runs.configure(rest, new Map([['demo', [{ algorithm: 'nanodet-g' }]]]))).toThrowError(
      expect.objectContaining({ code: 'ALGORITHM_UNKNOWN' }),
    );
    expect(runs.leasesOf('ann')).toHaveLength(1);
    runs.configure(rest, new Map());
    expect(runs.list()).toMatchObject([{ algorithm: 'nanodet-g', title: { en: 'nanodet-g' }, leases: [{}] }]);
    expect([...runs.algorithms.keys()]).toEqual(['barcode']);
    runs.release(lease.id);
    expect(runs.list()).toEqual([]);
    expect(() => acquire(ben)).toThrowError(expect.objectContaining({ code: 'ALGORITHM_UNKNOWN' }));
  });

  it('refuses defaults that could never run', () => {
    const { runs } = setUp();
    expect(() => runs.setDefaults('demo', [{ algorithm: 'x' }])).toThrowError(
      expect.objectContaining({ code: 'ALGORITHM_UNKNOWN' }),
    );
    expect(() =>
      runs.setDefaults('demo', [{ algorithm: 'nanodet-g', parameters: { threshold: 7 } }]),
    ).toThrowError(expect.objectContaining({ code: 'PARAMETERS_INVALID' }));
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
