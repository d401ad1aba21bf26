import { createSecretKey } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { VirtualClock } from '#util/clock.ts';
import { DeliveryQueue } from './delivery-queue.ts';
import type { HookEvent, Outcome } from './event.ts';
import type { HookSettings } from './hook.ts';
import { Hooks } from './hooks.ts';
import { streamPattern } from './pattern.ts';
import { signatureOf } from './web-hook.ts';

const BROKEN: Outcome = { ok: false, status: 500, retry: true };
const OK: Outcome = { ok: true, status: 200 };

const event = (id: string, stream = 'a'): HookEvent => ({ id, type: 'publish', time: 'now', stream });

/** Lets what is due to promises happen. */
const settle = () => new Promise<void>((resolve) => setImmediate(resolve));

function queueOf(answer: (event: HookEvent) => Outcome | Promise<Outcome>) {
  const clock = new VirtualClock();
  const tried: { id: string; at: number }[] = [];
  const began = clock.now();
  const queue = new DeliveryQueue({
    clock,
    random: () => 0,
    deliver: async (one) => {
      tried.push({ id: one.id, at: (clock.now() - began) / 1000 });
      return answer(one);
    },
  });
  const pass = async (seconds: number) => {
    await settle();
    for (let i = 0; i < seconds; i++) {
      clock.advance(1000);
      await settle();
    }
  };
  return { clock, queue, tried, pass };
}

describe('deliveries', () => {
  it('are tried again with pauses that double, and what comes behind in the same stream waits', async () => {
    let broken = true;
    const { queue, tried, pass } = queueOf(({ id }) => (id === '1' && broken ? BROKEN : OK));
    queue.push(event('1'));
    queue.push(event('2'));
    queue.push(event('3', 'b'));
    await pass(8);
    expect(tried).toEqual([
      { id: '1', at: 0 },
      { id: '3', at: 0 },
      { id: '1', at: 1 },
      { id: '1', at: 3 },
      { id: '1', at: 7 },
    ]);
    broken = false;
    await pass(10);
    expect(tried.slice(5)).toEqual([
      { id: '1', at: 15 },
      { id: '2', at: 15 },
    ]);
    expect(queue.counters).toEqual({ delivered: 3, failed: 0, retried: 4, dropped: 0 });
  });

  it('are given up after ten attempts or five minutes, and at once where no attempt can help', async () => {
    const { clock, queue, tried, pass } = queueOf(() => BROKEN);
    queue.push(event('1'));
    await pass(320);
    expect(queue.length).toBe(0);
    expect(tried.length).toBeLessThanOrEqual(10);
    expect(tried.at(-1)!.at).toBeLessThanOrEqual(300);
    expect(queue.counters.failed).toBe(1);
    expect(clock.pending).toBe(0);
    const refused = queueOf(() => ({ ok: false, status: 404, retry: false }));
    refused.queue.push(event('1'));
    await settle();
    expect(refused.queue.last).toMatchObject({ attempts: 1, outcome: { status: 404 } });
  });

  it('are bounded: a full queue loses its oldest event, and four streams are served at a time', async () => {
    const never = new Promise<Outcome>(() => {});
    const { queue, tried } = queueOf(() => never);
    for (let i = 0; i < 6; i++) queue.push(event(`first-${i}`, `stream-${i}`));
    expect(tried).toHaveLength(4);
    for (let i = 0; i < 1200; i++) queue.push(event(`${i}`));
    expect(queue.length).toBe(1000);
    expect(queue.counters.dropped).toBe(206);
  });

  it('end with the server: what waits is tried once, and no longer than there is time for', async () => {
    const { clock, queue, tried, pass } = queueOf(() => BROKEN);
    queue.push(event('1'));
    queue.push(event('2'));
    await settle();
    await queue.close(1500);
    expect(tried.map(({ id }) => id)).toEqual(['1', '1', '2']);
    const hanging = queueOf(() => new Promise<Outcome>(() => {}));
    hanging.queue.push(event('1'));
    const closed = hanging.queue.close(1500);
    await hanging.pass(2);
    await closed;
    await pass(100);
    expect(tried).toHaveLength(3);
    expect([clock.pending, hanging.clock.pending]).toEqual([0, 0]);
  });
});

describe('what hooks are made of', () => {
  it('patterns match names segment by segment, or over all of them', () => {
    const names = ['yard', 'yard/a', 'yard/a/b', 'yardXa', 'yard.a'];
    const matched = (pattern: string) => names.filter(streamPattern(pattern));
    expect(matched('**')).toEqual(names);
    expect(matched('yard/*')).toEqual(['yard/a']);
    expect(matched('yard/**')).toEqual(['yard/a', 'yard/a/b']);
    expect(matched('yard.a')).toEqual(['yard.a']);
    expect(matched('*')).toEqual(['yard', 'yardXa', 'yard.a']);
  });

  it('the signature is the HMAC of the body (RFC 4231, test case 2)', () => {
    expect(signatureOf('what do ya want for nothing?', createSecretKey('Jefe', 'utf8'))).toBe(
      'sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843',
    );
  });
});

describe('commands that last', () => {
  const settings: HookSettings = {
    while: 'read',
    streams: '**',
    command: ['light'],
    timeoutSeconds: 10,
    restart: true,
  };

  /** Groups that end when the test says so. */
  function commands(wanted: HookSettings = settings) {
    const clock = new VirtualClock();
    const groups: {
      environment: Readonly<Record<string, string | undefined>>;
      patience?: number;
      exit(code: number): void;
    }[] = [];
    const warnings: string[] = [];
    const hooks = new Hooks({
      settings: [wanted],
      clock,
      log: (level, message) => void (level === 'warn' && warnings.push(message)),
      start: (_argv, environment) => {
        const { promise, resolve } = Promise.withResolvers<{ code: number; stderr: string }>();
        const group = { environment, exit: (code: number) => resolve({ code, stderr: '' }) };
        groups.push(group);
        return {
          pid: groups.length,
          ended: promise,
          end: (patience) => {
            Object.assign(group, { patience });
            resolve({ code: 143, stderr: '' });
            return promise;
          },
        };
      },
    });
    return { clock, groups, hooks, warnings };
  }

  it('run once for all readers of a stream, and end with the last', async () => {
    const { groups, hooks } = commands();
    for (const stream of ['a', 'a', 'b']) hooks.tell({ type: 'read', stream, door: 'rtsp' });
    expect(groups.map(({ environment }) => environment['SLUICE_STREAM'])).toEqual(['a', 'b']);
    hooks.tell({ type: 'unread', stream: 'a' });
    expect(groups[0]!.patience).toBeUndefined();
    hooks.tell({ type: 'unread', stream: 'a' });
    expect(groups[0]!.patience).toBe(5000);
    await settle();
    expect(hooks.list()[0]).toMatchObject({ running: [{ stream: 'b', pid: 2 }], counters: { failed: 0 } });
  });

  it('are started again when they end by themselves, with a back-off, and not once their reason is over', async () => {
    const { clock, groups, hooks } = commands();
    hooks.tell({ type: 'read', stream: 'a' });
    groups[0]!.exit(3);
    await settle();
    expect(hooks.list()[0]).toMatchObject({ last: { outcome: { ok: false, status: 3 } } });
    clock.advance(1000);
    expect(groups).toHaveLength(2);
    groups[1]!.exit(0);
    await settle();
    hooks.tell({ type: 'unread', stream: 'a' });
    clock.advance(60_000);
    expect(groups).toHaveLength(2);
    expect(clock.pending).toBe(0);
  });

  it('go on over a change of the configuration that leaves their hook as it is, and end with it', async () => {
    const { groups, hooks, warnings } = commands();
    hooks.tell({ type: 'read', stream: 'a' });
    hooks.configure([{ ...settings, streams: 'other' }, { ...settings }]);
    expect(groups[0]!.patience).toBeUndefined();
    hooks.configure([]);
    expect(groups[0]!.patience).toBe(1500);
    await hooks.close();
    expect(warnings).toEqual([]);
  });

  it('begin with a configuration that is new, for what began before it', () => {
    const { groups, hooks } = commands({ ...settings, streams: 'other' });
    for (const stream of ['a', 'b', 'b']) hooks.tell({ type: 'read', stream });
    hooks.tell({ type: 'unread', stream: 'a' });
    hooks.tell({ type: 'unread', stream: 'b' });
    hooks.configure([settings]);
    expect(groups.map(({ environment }) => environment['SLUICE_STREAM'])).toEqual(['b']);
    hooks.tell({ type: 'unread', stream: 'b' });
    expect(groups[0]!.patience).toBe(5000);
  });
});
