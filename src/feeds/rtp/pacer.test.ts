import { describe, expect, test } from 'vitest';
import { VirtualClock } from '#util/clock.ts';
import { Pacer } from './pacer.ts';

function setUp() {
  const clock = new VirtualClock();
  const start = clock.now();
  const sent: { n: number; at: number }[] = [];
  const state = { blocked: false, drained: 0 };
  const pacer = new Pacer({
    clock,
    send: ({ bytes }) => sent.push({ n: bytes.readUInt16BE(0), at: clock.now() - start }),
    isBlocked: () => state.blocked,
  });
  pacer.onDrain(() => state.drained++);
  const put = (first: number, count: number) => {
    for (let n = first; n < first + count; n++) {
      const bytes = Buffer.alloc(1400);
      bytes.writeUInt16BE(n, 0);
      pacer.push({ bytes, to: { from: 0, port: 5000 } });
    }
    pacer.flush();
  };
  return { clock, pacer, sent, state, put };
}

describe('the pacer', () => {
  test('sends a usual picture at once, and keeps no timer', () => {
    const { clock, pacer, sent, state, put } = setUp();
    put(0, 9);
    expect(sent).toHaveLength(9);
    expect([pacer.backlog, clock.pending, state.drained]).toEqual([0, 0, 0]);
  });

  test('spreads a keyframe of 200 packets over some 20 ms, in order', () => {
    const { clock, pacer, sent, state, put } = setUp();
    put(0, 200);
    expect(sent).toHaveLength(24);
    expect(pacer.backlog).toBe(176 * 1400);
    clock.advance(5);
    expect(sent).toHaveLength(24 + 5 * 8);
    clock.advance(100);
    expect(sent.map(({ n }) => n)).toEqual(Array.from({ length: 200 }, (_, n) => n));
    expect(sent.at(-1)?.at).toBe(22);
    expect([pacer.backlog, clock.pending, state.drained]).toEqual([0, 0, 1]);
  });

  test('takes what comes meanwhile behind what waits', () => {
    const { clock, sent, put } = setUp();
    put(0, 40);
    put(40, 2);
    expect(sent).toHaveLength(24);
    clock.advance(10);
    expect(sent.at(-1)?.n).toBe(41);
  });

  test('holds back while the way out takes nothing, and makes no larger burst of it', () => {
    const { clock, sent, state, put } = setUp();
    state.blocked = true;
    put(0, 100);
    clock.advance(50);
    expect(sent).toHaveLength(0);
    state.blocked = false;
    clock.advance(1);
    expect(sent).toHaveLength(24);
    clock.advance(10);
    expect(sent).toHaveLength(100);
  });

  test('goes on with what is added while it is drained', () => {
    const { clock, pacer, sent, put } = setUp();
    pacer.onDrain(() => sent.length < 60 && put(50, 20));
    put(0, 50);
    clock.advance(20);
    expect(sent.map(({ n }) => n)).toEqual(Array.from({ length: 70 }, (_, n) => n));
  });

  test('forgets what waits when it is closed', () => {
    const { clock, pacer, sent, put } = setUp();
    put(0, 50);
    pacer.close();
    pacer.close();
    put(50, 5);
    clock.advance(50);
    expect(sent).toHaveLength(24);
    expect([pacer.backlog, clock.pending]).toEqual([0, 0]);
  });
});
