import { describe, expect, it } from 'vitest';
import { CaptureOrder, type OrderLane } from './capture-order.ts';
import { LagWatch } from './lag-watch.ts';

function setUp(limits = { holdMs: 5000, holdBytes: 1000 }) {
  const order = new CaptureOrder<string>(limits);
  const [a, b] = [order.lane(), order.lane()];
  const push = (lane: OrderLane<string>, at: number, now: number, bytes = 10) =>
    order.push(lane, `${lane === a ? 'a' : 'b'}${at}`, { at, came: now, bytes }, now);
  const taken = (now: number) => {
    const all: string[] = [];
    for (let item = order.take(now); item !== undefined; item = order.take(now)) all.push(item);
    return all;
  };
  return { order, a, b, push, taken };
}

describe('the order of capture', () => {
  it('lets a unit go when all others have brought what was captured later', () => {
    const { a, b, push, taken, order } = setUp();
    for (const lane of [a, b]) lane.begin(0);
    push(a, 0, 0);
    push(a, 40, 40);
    expect(taken(40)).toEqual([]);
    expect(order.dueAt).toBe(2000);
    push(b, 10, 1010);
    push(b, 30, 1030);
    expect(taken(1030)).toEqual(['a0', 'b10', 'b30']);
    push(b, 50, 1050);
    expect(taken(1050)).toEqual(['a40', 'b50']);
  });

  it('lets it go when the slowest, as it was lately, would have brought that', () => {
    const { a, b, push, taken, order } = setUp();
    push(b, 0, 1000);
    push(a, 10, 1005);
    expect(taken(1005)).toEqual(['b0']);
    expect(order.dueAt).toBe(10 + 1000 + 50);
    expect(taken(1059)).toEqual([]);
    expect(taken(1060)).toEqual(['a10']);
    // It begins anew and is away: its delay stays.
    b.begin(2000);
    push(a, 2000, 2000);
    expect(taken(3049)).toEqual([]);
    expect(taken(3050)).toEqual(['a2000']);
  });

  it('holds nothing longer, and no more, than it may, and counts what comes too late', () => {
    const { a, b, push, taken, order } = setUp({ holdMs: 500, holdBytes: 25 });
    push(b, 0, 3000);
    push(a, 2900, 3000);
    expect(taken(3000)).toEqual(['b0']);
    expect(order.waiting(3400)).toEqual({ bytes: 10, ms: 400 });
    expect(taken(3499)).toEqual([]);
    expect(taken(3500)).toEqual(['a2900']);
    push(b, 500, 3510);
    expect(b.late).toBe(1);
    expect(taken(3510)).toEqual(['b500']);
    for (const at of [3520, 3530, 3540]) push(a, at, at);
    expect(taken(3540)).toEqual(['a3520']);
    order.clear();
    expect(order.waiting(3540)).toEqual({ bytes: 0, ms: 0 });
  });

  it('goes on as before when the clocks were set, both one after the other', () => {
    for (const set of [3_600_000, -3_600_000]) {
      const { a, b, push, taken } = setUp();
      let left = 0;
      for (let at = 0; at < 4000; at += 40) {
        const step = at < 2000 ? 0 : set;
        push(a, at + step, at + 300);
        push(b, at + step, at + 300);
        if (at >= 2400) left += taken(at + 300).length;
        else taken(at + 300);
      }
      expect(left).toBeGreaterThan(75);
    }
  });

  it('waits for nobody that was not announced', () => {
    const { a, push, taken } = setUp();
    push(a, 0, 0);
    expect(taken(0)).toEqual(['a0']);
  });
});

describe('how late a source is', () => {
  it('is the latest of ten seconds, and of its first second the least', () => {
    const watch = new LagWatch();
    expect(watch.lag).toBeUndefined();
    // What was kept comes at once, and then what is captured.
    for (let at = 0; at <= 2000; at += 100) watch.observe(at, 2000 + at / 100);
    expect(watch.lag).toBe(20);
    watch.observe(3000, 3200);
    watch.observe(3100, 3150);
    expect(watch.lag).toBe(200);
    for (let at = 4000; at < 14_000; at += 100) watch.observe(at, at + 50);
    expect(watch.lag).toBe(50);
  });

  it('stays while nothing comes, and after a restart until that has been for ten seconds', () => {
    const watch = new LagWatch();
    for (let at = 0; at < 3000; at += 100) watch.observe(at, at + 1500);
    watch.restart();
    watch.observe(60_000, 60_010);
    expect(watch.lag).toBe(1500);
    for (let at = 60_100; at < 71_000; at += 100) watch.observe(at, at + 10);
    expect(watch.lag).toBe(10);
  });
});
