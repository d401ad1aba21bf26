import { describe, expect, it } from 'vitest';
import { LossRequests } from './loss-requests.ts';

function after(...sequences: number[]): LossRequests {
  const requests = new LossRequests(300);
  for (const sequence of sequences) requests.packet(sequence, 1000);
  return requests;
}

describe('a missing packet', () => {
  it('is not asked for among too many, so that a sender that leaps costs no memory', () => {
    const requests = new LossRequests(300);
    for (let i = 0; i < 10_000; i++) requests.packet((i * 200) & 0xffff, 1000);
    const asked = new Set<number>();
    for (let due = requests.due(1010); due.length > 0; due = requests.due(1010)) {
      for (const sequence of due) asked.add(sequence);
    }
    expect(asked.size).toBeLessThanOrEqual(1024);
  });

  it('is asked for after a moment, over the wrap of sequence numbers too', () => {
    const requests = after(65_534, 1);
    expect(requests.due(1005)).toEqual([]);
    expect(requests.due(1010)).toEqual([65_535, 0]);
    expect(requests.pending).toBe(true);
  });

  it('is not asked for when it only came late', () => {
    const requests = after(1, 3);
    requests.packet(2, 1004);
    expect(requests.due(1010)).toEqual([]);
    expect(requests.pending).toBe(false);
  });

  it('is asked for again when it should have been there, by how long others took', () => {
    const requests = after(1, 3);
    expect(requests.due(1010)).toEqual([2]);
    expect(requests.due(1159)).toEqual([]);
    expect(requests.due(1160)).toEqual([2]);
    const quick = after(1, 3);
    quick.due(1010);
    quick.packet(2, 1020);
    expect(quick.roundTripMs).toBeLessThan(100);
  });

  it('is given up when nobody waits for it any more', () => {
    const requests = after(1, 3);
    expect(requests.due(1301)).toEqual([]);
    expect(requests.pending).toBe(false);
  });

  it('is left to the next keyframe when hundreds are missing', () => {
    const requests = after(1, 1000);
    expect(requests.due(1010)).toEqual([]);
    requests.packet(1002, 1011);
    expect(requests.due(1030)).toEqual([1001]);
  });
});
