import { describe, expect, it } from 'vitest';
import { TransportFeedback } from './transport-feedback.ts';

/** Arrival times by sequence number, read back as the draft lays them down; `null` for what did not arrive. */
function read(message: Buffer): Map<number, number | null> {
  const base = message.readUInt16BE(12);
  const count = message.readUInt16BE(14);
  let time = message.readUIntBE(16, 3) * 64;
  let at = 20;
  const states: number[] = [];
  while (states.length < count) {
    const chunk = message.readUInt16BE(at);
    at += 2;
    if (chunk < 0x8000) states.push(...Array<number>(chunk & 0x1fff).fill(chunk >> 13));
    else for (let i = 0; i < 7; i++) states.push((chunk >> (12 - 2 * i)) & 3);
  }
  const arrivals = new Map<number, number | null>();
  for (const [i, state] of states.slice(0, count).entries()) {
    const sequence = (base + i) & 0xffff;
    if (state === 0) {
      arrivals.set(sequence, null);
      continue;
    }
    time += (state === 1 ? message.readUInt8(at) : message.readInt16BE(at)) * 0.25;
    at += state;
    arrivals.set(sequence, time);
  }
  const padding = (message[0] ?? 0) & 0x20 ? (message.at(-1) ?? 0) : 0;
  expect(at + padding).toBe(message.length);
  expect(message.readUInt16BE(2)).toBe(message.length / 4 - 1);
  return arrivals;
}

function told(feedback: TransportFeedback, now: number): Map<number, number | null> {
  return new Map(feedback.messages(1, 2, now).flatMap((message) => [...read(message)]));
}

describe('feedback about a transport', () => {
  it('tells when each packet arrived, and which did not, over the wrap', () => {
    const feedback = new TransportFeedback();
    feedback.packet(65_534, 1000);
    feedback.packet(65_535, 1000.5);
    feedback.packet(2, 1100);
    feedback.packet(1, 1099);
    expect([...told(feedback, 1110)]).toEqual([
      [65_534, 1000],
      [65_535, 1000.5],
      [0, null],
      [1, 1099],
      [2, 1100],
    ]);
    expect(feedback.pending).toBe(false);
    expect(feedback.messages(1, 2, 1111)).toEqual([]);
  });

  it('begins where the last one ended, and tells of lost packets in between', () => {
    const feedback = new TransportFeedback();
    feedback.packet(1, 0);
    told(feedback, 10);
    feedback.packet(4, 20);
    expect([...told(feedback, 30)]).toEqual([
      [2, null],
      [3, null],
      [4, 20],
    ]);
  });

  it('tells of what comes late once more with all that followed it', () => {
    const feedback = new TransportFeedback();
    for (const sequence of [1, 3, 4]) feedback.packet(sequence, sequence * 10);
    told(feedback, 50);
    feedback.packet(2, 60);
    expect([...told(feedback, 70)]).toEqual([
      [2, 60],
      [3, 30],
      [4, 40],
    ]);
  });

  it('takes a message for each stretch that one cannot hold', () => {
    const feedback = new TransportFeedback();
    for (let i = 0; i < 1000; i++) feedback.packet(i, i);
    feedback.packet(1000, 60_000);
    const messages = feedback.messages(1, 2, 60_000);
    expect(messages).toHaveLength(4);
    expect(messages.map((message) => message[19])).toEqual([0, 1, 2, 3]);
    const all = new Map(messages.flatMap((message) => [...read(message)]));
    for (let i = 0; i < 1000; i++) expect(all.get(i)).toBe(i);
    expect(all.get(1000)).toBe(60_000);
  });

  it('has chunks for runs and for mixtures', () => {
    const feedback = new TransportFeedback();
    const came = Array.from({ length: 60 }, (_, i) => i).filter((i) => i < 20 || i % 3 === 0);
    for (const sequence of came) feedback.packet(sequence, sequence * 100);
    const all = told(feedback, 6000);
    for (let i = 0; i < 58; i++) expect(all.get(i)).toBe(came.includes(i) ? i * 100 : null);
  });
});
