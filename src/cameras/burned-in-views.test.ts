import { expect, test } from 'vitest';
import { guard, setUp } from '../../test/support/runs.ts';
import { type BurnedInView, BurnedInViews, type ViewSummoner } from './burned-in-views.ts';
import type { BurnIn, DefaultWish } from './contract.ts';

const plain: BurnIn = { labels: true, clock: false, hold: false, maxDelaySeconds: 5 };

/** Views of runs on virtual time, with what was offered and made. */
function views(defaults: Record<string, readonly DefaultWish[]> = {}) {
  const { runs, tasks, events } = setUp();
  const offered = new Map<string, ViewSummoner>();
  const made: BurnedInView[] = [];
  const closed: string[] = [];
  const all = new BurnedInViews({
    runs,
    offer: (name, summoner) => {
      offered.set(name, summoner);
      return (reason) => {
        if (offered.get(name) !== summoner) return;
        offered.delete(name);
        // As `OnDemand` does with what is taken back.
        summoner.dismiss(reason);
      };
    },
    make: (view) => {
      made.push(view);
      return {
        trouble: undefined,
        close: (reason) => {
          closed.push(reason);
          for (const want of wanting) want(view.name);
        },
      };
    },
  });
  /** Who learns that a stream ended and wants it all the same, as a forward does. */
  const wanting = new Set<(name: string) => void>();
  all.configure((stream) => defaults[stream] ?? []);
  return {
    wanting,
    all,
    runs,
    tasks,
    events,
    offered,
    made,
    closed,
  };
}

const burned = { algorithm: 'nanodet-g', burnIn: plain };

test('there is a view where the configuration says so, and of no other algorithm or stream', () => {
  const { all } = views({ demo: [burned, { algorithm: 'barcode' }], 'yard/gate-1': [burned] });
  expect(all.has('demo/nanodet-g')).toBe(true);
  expect(all.has('yard/gate-1/nanodet-g')).toBe(true);
  for (const name of ['demo/barcode', 'demo', 'nanodet-g', '/nanodet-g', 'other/nanodet-g']) {
    expect(all.has(name)).toBe(false);
    all.offer(name);
  }
  expect(all.nameOf({ stream: 'demo', algorithm: 'nanodet-g' })).toBe('demo/nanodet-g');
  expect(all.nameOf({ stream: 'demo', algorithm: 'barcode' })).toBeUndefined();
});

test('a view holds its run from its first reader until it is let go, and is forgotten then', () => {
  const { all, runs, tasks, offered, made, closed } = views({ demo: [burned] });
  all.offer('demo/nanodet-g');
  expect(tasks).toHaveLength(0);
  offered.get('demo/nanodet-g')!.summon();
  expect(made).toEqual([expect.objectContaining({ name: 'demo/nanodet-g', stream: 'demo', burnIn: plain })]);
  expect(made[0]!.run).toBe('nanodet-g@demo');
  expect(runs.get('nanodet-g@demo')?.leases).toEqual([
    expect.objectContaining({ holder: 'view', reason: '"demo/nanodet-g" is read' }),
  ]);
  offered.get('demo/nanodet-g')!.dismiss('Nobody reads it.');
  expect(closed).toEqual(['Nobody reads it.']);
  expect(runs.list()).toEqual([]);
  expect(offered.size).toBe(0);
  expect(all.has('demo/nanodet-g')).toBe(true);
});

test('a view shares the run that there is, whatever its parameters', () => {
  const { all, runs, offered, tasks } = views({ demo: [{ ...burned, parameters: { threshold: 0.7 } }] });
  runs.acquire({ stream: 'demo', algorithm: 'nanodet-g', holder: guard, parameters: { threshold: 0.2 } });
  all.offer('demo/nanodet-g');
  offered.get('demo/nanodet-g')!.summon();
  expect(tasks).toHaveLength(1);
  expect(runs.get('nanodet-g@demo')?.parameters['threshold']).toBe(0.2);
  expect(runs.get('nanodet-g@demo')?.leases).toHaveLength(2);
});

test('a view that was asked for over the API is there as long as the API holds the run', async () => {
  const { all, runs } = views();
  const holder = { kind: 'api', id: 'api', reason: 'asked for over the API' } as const;
  const { run } = runs.acquire({ stream: 'demo', algorithm: 'nanodet-g', holder });
  all.ask(run, { ...plain, clock: true });
  expect(all.nameOf(run)).toBe('demo/nanodet-g');
  void runs.stop(run.id);
  expect(all.has('demo/nanodet-g')).toBe(false);
});

test('a view ends with its run, whoever stopped that, and the next reader begins both anew', () => {
  const { all, runs, tasks, offered, closed } = views({ demo: [burned] });
  all.offer('demo/nanodet-g');
  offered.get('demo/nanodet-g')!.summon();
  void runs.stop('nanodet-g@demo', 'Stopped by hand.');
  expect(closed).toEqual(['Stopped by hand.']);
  expect(offered.size).toBe(0);
  all.offer('demo/nanodet-g');
  offered.get('demo/nanodet-g')!.summon();
  expect(runs.get('nanodet-g@demo')?.leases).toHaveLength(1);
  expect(tasks).toHaveLength(1);
});

test('who wants a view while the former one ends gets the next, as the configuration has it now', () => {
  const { all, runs, offered, made, wanting } = views({ demo: [burned] });
  const want = (name: string) => {
    all.offer(name);
    offered.get(name)!.summon();
  };
  want('demo/nanodet-g');
  wanting.add(want);
  all.configure(() => [{ ...burned, burnIn: { ...plain, clock: true } }]);
  expect(made.map(({ burnIn }) => burnIn.clock)).toEqual([false, true]);
  expect([...offered.keys()]).toEqual(['demo/nanodet-g']);
  expect(runs.get('nanodet-g@demo')?.leases).toHaveLength(1);
});

test('a change of the configuration ends views that are not wanted any more or otherwise, and no other', () => {
  const { all, offered, closed } = views({ demo: [burned], 'yard/gate-1': [burned] });
  for (const name of ['demo/nanodet-g', 'yard/gate-1/nanodet-g']) {
    all.offer(name);
    offered.get(name)!.summon();
  }
  const other: DefaultWish = { ...burned, burnIn: { ...plain, clock: true } };
  all.configure((stream) => (stream === 'demo' ? [burned] : [other]));
  expect([...offered.keys()]).toEqual(['demo/nanodet-g']);
  expect(closed).toHaveLength(1);
  all.configure(() => []);
  expect(offered.size).toBe(0);
  all.close();
});

test('a view whose algorithm there is not any more says so and makes nothing', () => {
  const { all, offered, made } = views({ demo: [{ algorithm: 'gone', burnIn: plain }] });
  all.offer('demo/gone');
  const summoner = offered.get('demo/gone')!;
  summoner.summon();
  expect(summoner.trouble?.final).toBe(true);
  expect(summoner.trouble?.reason).toContain('There is no algorithm "gone"');
  expect(made).toEqual([]);
  summoner.dismiss('Nobody reads it.');
});
