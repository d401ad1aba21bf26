import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { VirtualClock } from '#util/clock.ts';
import { manifest } from '../../test/support/manifest.ts';
import type { Executor } from './contract.ts';
import { RunManager } from './runs.ts';

type Command =
  | { readonly do: 'acquire' | 'release' | 'join' | 'leave'; readonly who: number; readonly stream: number }
  | { readonly do: 'stop' | 'begin' | 'end' | 'fail' | 'done'; readonly stream: number }
  | { readonly do: 'wait'; readonly ms: number };

const stream = fc.nat(2);
const command: fc.Arbitrary<Command> = fc.oneof(
  fc.record({
    do: fc.constantFrom('acquire', 'release', 'join', 'leave'),
    who: fc.nat(2),
    stream,
  }),
  fc.record({ do: fc.constantFrom('stop', 'begin', 'end', 'fail', 'done'), stream }),
  fc.record({ do: fc.constant('wait' as const), ms: fc.nat(3000) }),
);

/** Counts tasks per run, as they work and as they end. */
class Ledger {
  readonly clock = new VirtualClock();
  readonly live = new Set(['s0', 's1', 's2']);
  readonly working = new Map<number, Parameters<Executor['start']>[0]>();
  readonly #perRun = new Map<string, number>();
  mostPerRun = 0;
  /** Leases that were asked for and neither given back nor ended: `who run`. */
  readonly asked = new Set<string>();
  #next = 0;

  readonly runs = new RunManager({
    clock: this.clock,
    streamExists: (name) => this.live.has(name),
    algorithms: new Map([['a', { path: 'a.json', manifest: manifest({ id: 'a' }) }]]),
    executor: {
      start: (request) => {
        const id = this.#next++;
        this.working.set(id, request);
        this.#count(request.spec.run, 1);
        return {
          id: `task-${id}`,
          epoch: 1,
          amend: () => {},
          stop: async () => {
            this.working.delete(id);
            await new Promise((resolve) => setImmediate(resolve));
            this.#count(request.spec.run, -1);
          },
        };
      },
    },
  });

  forget(matches: (who: string, run: string) => boolean): void {
    for (const one of this.asked) {
      const [who = '', run = ''] = one.split(' ');
      if (matches(who, run)) this.asked.delete(one);
    }
  }

  /** A task ends by itself; nobody stops it any more. */
  finish(name: string): void {
    for (const [id, request] of this.working) {
      if (request.spec.stream !== name) continue;
      this.working.delete(id);
      this.#count(request.spec.run, -1);
      request.onState({ state: 'done', reason: 'The stream ended.' });
    }
  }

  #count(run: string, change: number): void {
    const count = (this.#perRun.get(run) ?? 0) + change;
    this.#perRun.set(run, count);
    this.mostPerRun = Math.max(this.mostPerRun, count);
  }
}

async function apply(ledger: Ledger, step: Command): Promise<void> {
  const { runs, clock, live, working } = ledger;
  if (step.do === 'wait') return clock.advance(step.ms);
  const name = `s${step.stream}`;
  switch (step.do) {
    case 'acquire': {
      const holder = { kind: 'viewer', id: `v${step.who}`, reason: 'test' } as const;
      if (!live.has(name)) return;
      ledger.asked.add(`${holder.id} ${runs.acquire({ stream: name, algorithm: 'a', holder }).run.id}`);
      return;
    }
    case 'release': {
      for (const lease of runs.leasesOf(`v${step.who}`)) runs.release(lease.id);
      return ledger.forget((who) => who === `v${step.who}`);
    }
    case 'join':
      return runs.viewerJoined(name, `v${step.who}`);
    case 'leave':
      runs.viewerLeft(`v${step.who}`);
      return ledger.forget((who) => who === `v${step.who}`);
    case 'stop':
      if (runs.get(`a@${name}`)) await runs.stop(`a@${name}`);
      return ledger.forget((_, run) => run === `a@${name}`);
    case 'begin':
      live.add(name);
      return runs.streamStarted(name);
    case 'end':
      live.delete(name);
      return runs.streamEnded(name);
    case 'fail':
      for (const { spec, onState } of working.values()) {
        if (spec.stream === name) onState({ state: 'failed', reason: 'test' });
      }
      return;
    case 'done':
      return ledger.finish(name);
  }
}

const settle = () => new Promise((resolve) => setTimeout(resolve, 0));

describe('RunManager, whatever happens in whatever order', () => {
  it('works exactly for the runs that somebody holds on streams that live, once each', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(command, { maxLength: 25 }), async (steps) => {
        const ledger = new Ledger();
        const { runs, clock, live, working } = ledger;
        runs.setDefaults('s0', [{ algorithm: 'a' }]);
        for (const step of steps) await apply(ledger, step);
        await settle();
        // Lingering is over, and every retry was made.
        clock.advance(60_000);
        await settle();
        const held = runs.list();
        expect(held.every(({ leases }) => leases.length > 0)).toBe(true);
        const wanted = held.filter((run) => live.has(run.stream)).map(({ id }) => id);
        expect([...working.values()].map(({ spec }) => spec.run).toSorted()).toEqual(wanted.toSorted());
        expect(ledger.mostPerRun).toBeLessThanOrEqual(1);
        const leases = ['v0', 'v1', 'v2'].flatMap((who) =>
          runs.leasesOf(who).map(({ run }) => `${who} ${run}`),
        );
        expect(leases).toEqual(expect.arrayContaining([...ledger.asked]));
        for (const who of ['v0', 'v1', 'v2']) runs.viewerLeft(who);
        clock.advance(2000);
        await settle();
        expect([runs.list(), working.size, clock.pending]).toEqual([[], 0, 0]);
      }),
      { numRuns: 200 },
    );
  });
});
