import { describe, expect, test } from 'vitest';
import type { RtpPacket } from './packet.ts';
import { Reception } from './reception.ts';

const START = 1_700_000_000_000;

/** Packet n of 50 in a second at 8 kHz. */
function packet(n: number, { ssrc = 9, first = 65_500 } = {}): RtpPacket {
  const payload = Buffer.alloc(0);
  const sequence = (first + n) & 0xffff;
  return {
    payloadType: 8,
    marker: false,
    sequence,
    timestamp: (2 ** 32 - 1600 + n * 160) >>> 0,
    ssrc,
    payload,
  };
}

function receive(numbers: readonly number[], delay: (n: number) => number = () => 0) {
  const reception = new Reception(8000);
  for (const n of numbers) reception.packet(packet(n), START + n * 20 + delay(n));
  return reception;
}

const range = (count: number) => Array.from({ length: count }, (_, i) => i);

describe('the reception of a track', () => {
  test('has nothing to report before the first packet', () => {
    expect(new Reception(8000).report(START)).toBeUndefined();
  });

  test('counts over the wrap of the sequence numbers', () => {
    const report = receive(range(100)).report(START + 2000);
    expect(report).toMatchObject({ ssrc: 9, lost: 0, fractionLost: 0, highestSequence: 65_599, jitter: 0 });
  });

  test('tells what is missing in all, and the share since the last report', () => {
    const reception = receive(range(100).filter((n) => n % 4 !== 1));
    expect(reception.report(START)).toMatchObject({ lost: 25, fractionLost: 64 });
    for (let n = 100; n < 200; n++) reception.packet(packet(n), START + n * 20);
    expect(reception.report(START)).toMatchObject({ lost: 25, fractionLost: 0 });
    expect(reception.report(START)).toMatchObject({ lost: 25, fractionLost: 0 });
  });

  test('takes packets out of order for what they are', () => {
    expect(receive([0, 3, 2, 1, 4]).report(START)).toMatchObject({ lost: 0, highestSequence: 65_504 });
  });

  test('measures jitter in ticks, and none where packets share a timestamp', () => {
    const jitter = receive(range(400), (n) => (n % 2) * 5).report(START)?.jitter;
    expect(jitter).toBeGreaterThanOrEqual(38);
    expect(jitter).toBeLessThanOrEqual(40);
    const reception = new Reception(90_000);
    range(50).forEach((n) => reception.packet({ ...packet(n), timestamp: 5 }, START + n));
    expect(reception.report(START)?.jitter).toBe(0);
  });

  test('names the last sender report and the time since', () => {
    const reception = receive([0]);
    reception.senderReport(START + 500, START + 600);
    // 2023-11-14T22:13:20.5Z is 0xe8fe6f80.80000000 in NTP time.
    expect(reception.report(START + 2600)).toMatchObject({
      lastReport: 0x6f80_8000,
      delaySinceLastReport: 2 * 65_536,
    });
  });

  test('begins anew with a sender that does', () => {
    const reception = receive(range(10));
    reception.packet(packet(0, { ssrc: 10, first: 7 }), START);
    reception.packet(packet(2, { ssrc: 10, first: 7 }), START);
    expect(reception.report(START)).toMatchObject({ ssrc: 10, lost: 1, highestSequence: 9 });
    reception.packet(packet(0, { ssrc: 10, first: 40_000 }), START);
    expect(reception.report(START)).toMatchObject({ ssrc: 10, lost: 0, highestSequence: 40_000 });
  });
});
