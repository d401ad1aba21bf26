import { describe, expect, it } from 'vitest';
import { ann, ben, found, setUp } from '../../test/support/runs.ts';

describe('the defaults of a stream', () => {
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

  it('gives viewers of a stream that has no defaults of its own those of others, and takes up their changes', () => {
    const { runs, streams, tasks } = setUp();
    const defaults = (algorithm: string) => (stream: string) =>
      stream.startsWith('yard/') ? [{ algorithm }] : [];
    runs.configure(runs.algorithms, new Map([['demo', []]]), defaults('barcode'));
    for (const stream of ['yard/gate', 'demo']) {
      streams.add(stream);
      runs.viewerJoined(stream, `viewer of ${stream}`);
    }
    expect(tasks.map(({ request }) => request.spec.algorithm)).toEqual(['barcode']);
    runs.configure(runs.algorithms, new Map(), defaults('nanodet-g'));
    expect(runs.list().map(({ id }) => id)).toEqual(['nanodet-g@yard:gate']);
    runs.configure(runs.algorithms, new Map([['yard/gate', []]]), defaults('nanodet-g'));
    expect(runs.list()).toEqual([]);
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
    const rest = new Map([['barcode', found('barcode')]]);
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
});
