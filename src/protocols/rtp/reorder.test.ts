import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { VirtualClock } from '#util/clock.ts';
import type { RtpPacket } from './packet.ts';
import { ReorderBuffer, type ReorderOptions } from './reorder.ts';

function rtp(sequence: number, ssrc = 7): RtpPacket {
  const payload = Buffer.of(1);
  return { payloadType: 96, marker: false, sequence: sequence & 0xffff, timestamp: 0, ssrc, payload };
}

function buffer(options: Partial<ReorderOptions> = {}) {
  const clock = new VirtualClock();
  const out: { sequence: number; at: number }[] = [];
  const start = clock.now();
  const reorder = new ReorderBuffer({
    clock,
    deliver: ({ sequence }, now) => out.push({ sequence, at: now - start }),
    ...options,
  });
  const push = (...sequences: number[]) => {
    for (const sequence of sequences) reorder.push(rtp(sequence));
  };
  return { clock, reorder, out, push, sequences: () => out.map(({ sequence }) => sequence) };
}

describe('the reorder buffer', () => {
  it('lets packets through at once, and keeps no timer, while nothing is missing', () => {
    const { clock, reorder, push, sequences } = buffer();
    push(65534, 65535, 0, 1);
    expect(sequences()).toEqual([65534, 65535, 0, 1]);
    expect(clock.pending).toBe(0);
    expect(reorder.counters).toEqual({ lost: 0, late: 0, duplicate: 0, early: 0 });
  });

  it('puts two packets that changed places in order as soon as the first is there', () => {
    const { clock, reorder, out, push } = buffer();
    push(10, 12);
    clock.advance(40);
    push(11);
    expect(out).toEqual([
      { sequence: 10, at: 0 },
      { sequence: 11, at: 40 },
      { sequence: 12, at: 40 },
    ]);
    expect(reorder.counters).toEqual({ lost: 0, late: 0, duplicate: 0, early: 1 });
  });

  it('gives a gap up when the first packet behind it has waited for 100 ms', () => {
    const { clock, reorder, out, push } = buffer();
    push(10, 12);
    clock.advance(60);
    push(14);
    clock.advance(39);
    expect(out).toHaveLength(1);
    clock.advance(1);
    expect(out.at(-1)).toEqual({ sequence: 12, at: 100 });
    clock.advance(60);
    expect(out.at(-1)).toEqual({ sequence: 14, at: 160 });
    expect(reorder.counters.lost).toBe(2);
    expect(clock.pending).toBe(0);
  });

  it('leaves out and counts what comes late and what comes twice', () => {
    const { clock, reorder, push, sequences } = buffer();
    push(10, 12, 12);
    clock.advance(100);
    push(11, 11, 10, 13);
    expect(sequences()).toEqual([10, 12, 13]);
    expect(reorder.counters).toEqual({ lost: 1, late: 1, duplicate: 3, early: 1 });
  });

  it('waits for no gap when more packets wait than it may hold', () => {
    const { reorder, push, sequences } = buffer({ maxHeld: 3 });
    push(0, 2, 3, 4);
    expect(sequences()).toEqual([0]);
    push(5);
    expect(sequences()).toEqual([0, 2, 3, 4, 5]);
    expect(reorder.held).toBe(0);
  });

  it('holds nothing back with a time of 0', () => {
    const { clock, push, sequences } = buffer({ holdMs: 0 });
    push(0, 2, 1, 3);
    expect(sequences()).toEqual([0, 2, 3]);
    expect(clock.pending).toBe(0);
  });

  it('goes on with a source that began anew, and hands on what waited of the old one', () => {
    const { clock, reorder, push, sequences } = buffer();
    push(10, 12);
    reorder.push(rtp(5000, 8));
    reorder.push(rtp(13, 7));
    reorder.push(rtp(5001, 8));
    expect(sequences()).toEqual([10, 12, 5000, 5001]);
    expect(reorder.counters).toMatchObject({ lost: 1, late: 1 });
    clock.advance(100);
    reorder.push(rtp(14, 7));
    expect(sequences().at(-1)).toBe(14);
  });

  it('believes a far leap only when a second packet agrees', () => {
    const { clock, reorder, push, sequences } = buffer();
    push(10, 40_000, 11, 40_001, 12);
    expect(sequences()).toEqual([10, 11, 12]);
    push(30_001, 30_000, 30_002);
    expect(sequences()).toEqual([10, 11, 12, 30_000, 30_001, 30_002]);
    expect(reorder.counters.lost).toBe(30_000 - 13);
    push(13, 14);
    expect(sequences().slice(-2)).toEqual([13, 14]);
    expect(clock.pending).toBe(0);
  });

  it('forgets what waits and its timer when it is closed', () => {
    const { clock, reorder, push, sequences } = buffer();
    push(0, 2);
    reorder.close();
    reorder.close();
    clock.advance(1000);
    push(3);
    expect(sequences()).toEqual([0]);
    expect(clock.pending).toBe(0);
  });

  it('delivers any permutation in order, as long as no packet is later than the bound', () => {
    const delays = fc.array(fc.integer({ min: 0, max: 99 }), { minLength: 1, maxLength: 200 });
    fc.assert(
      fc.property(delays, fc.integer({ min: 0, max: 0xffff }), (list, first) => {
        const { clock, reorder, push, sequences } = buffer();
        const expected = [first, ...list.map((_, i) => (first + 1 + i) & 0xffff)];
        // The first packet says where the stream begins, so it is the only one that may not be overtaken.
        push(first);
        list.forEach((delay, i) => {
          clock.after(i + delay, () => push(first + 1 + i));
        });
        clock.advance(list.length + 100);
        expect(sequences()).toEqual(expected);
        expect(reorder.counters).toMatchObject({ lost: 0, late: 0, duplicate: 0 });
        expect(clock.pending).toBe(0);
      }),
      { seed: 3, numRuns: 300 },
    );
  });

  it('ends with the right counters whatever is lost, delayed and doubled', () => {
    const fate = fc.record({
      copies: fc.array(fc.integer({ min: 0, max: 400 }), { minLength: 0, maxLength: 3 }),
    });
    fc.assert(
      fc.property(fc.array(fate, { minLength: 1, maxLength: 150 }), (fates) => {
        const { clock, reorder, out, push, sequences } = buffer({ maxHeld: 40 });
        push(0);
        let sent = 1;
        fates.forEach(({ copies }, i) => {
          for (const delay of copies) {
            sent++;
            clock.after(i + delay, () => push(i + 1));
          }
        });
        clock.advance(fates.length + 1000);
        const { lost, late, duplicate } = reorder.counters;
        const delivered = sequences();
        expect(delivered).toEqual([...new Set(delivered)].sort((a, b) => a - b));
        expect(delivered.length + late + duplicate).toBe(sent);
        const last = delivered.at(-1) ?? 0;
        expect(delivered.length + lost).toBe(last + 1);
        // What came at all and before the end was delivered or is counted as late once.
        const came = fates.filter(({ copies }, i) => copies.length > 0 && i + 1 <= last).length;
        expect(delivered.length - 1 + late).toBe(came);
        expect(out.every(({ at }, i) => i === 0 || at >= (out[i - 1]?.at ?? 0))).toBe(true);
        expect(reorder.held).toBe(0);
        expect(clock.pending).toBe(0);
      }),
      { seed: 3, numRuns: 300 },
    );
  });
});
