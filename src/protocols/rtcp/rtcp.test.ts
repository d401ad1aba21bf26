import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fromNtp, toNtp } from './ntp.ts';
import { buildPictureLossIndication, buildReceiverReport, buildSenderReport, parseRtcp } from './packet.ts';

describe('NTP time', () => {
  it('keeps fractions of a millisecond to less than a microsecond', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 2_000_000_000 }),
        fc.integer({ min: 0, max: 999_999 }),
        (seconds, micros) => {
          const ms = seconds * 1000 + micros / 1000;
          const ntp = toNtp(ms);
          expect(Math.abs((ntp.fraction * 1e6) / 2 ** 32 - micros)).toBeLessThan(0.2);
          expect(Math.abs(fromNtp(ntp) - ms)).toBeLessThan(0.0005);
        },
      ),
    );
  });

  it('carries into the second and goes on after 2036', () => {
    expect(toNtp(-1)).toEqual({ seconds: 2_208_988_799, fraction: Math.round(0.999 * 2 ** 32) });
    expect(toNtp(0)).toEqual({ seconds: 2_208_988_800, fraction: 0 });
    const later = Date.UTC(2040, 0, 1);
    expect(fromNtp(toNtp(later))).toBe(later);
  });
});

describe('RTCP', () => {
  it('reads back the sender reports it writes', () => {
    const report = { ssrc: 7, ntp: 1_790_000_000_123.5, rtpTimestamp: 2 ** 32 - 1, packets: 3, bytes: 400 };
    const bytes = buildSenderReport({ ...report, cname: 'sluice' });
    expect(bytes.length % 4).toBe(0);
    const [sr, sdes, ...rest] = parseRtcp(bytes);
    expect(sr).toMatchObject({
      type: 'sender-report',
      ...report,
      ntp: expect.closeTo(report.ntp, 3),
      reports: [],
    });
    expect(sdes).toEqual({ type: 'source-description', sources: [{ ssrc: 7, cname: 'sluice' }] });
    expect(rest).toEqual([]);
  });

  it('reads back the receiver reports it writes', () => {
    const block = {
      ssrc: 9,
      fractionLost: 12,
      lost: -3,
      highestSequence: 70_000,
      jitter: 44,
      lastReport: 5,
      delaySinceLastReport: 6,
    };
    const [rr] = parseRtcp(buildReceiverReport(1, [block], 'x'));
    expect(rr).toEqual({ type: 'receiver-report', ssrc: 1, reports: [block] });
  });

  it('reads a goodbye and passes over what it does not know', () => {
    const bytes = Buffer.from('81cb000100000007' + '80cc0001aabbccdd' + '81cb000100000008', 'hex');
    expect(parseRtcp(bytes)).toEqual([
      { type: 'goodbye', ssrcs: [7] },
      { type: 'goodbye', ssrcs: [8] },
    ]);
  });

  it('asks for a keyframe behind a receiver report, and understands who asks', () => {
    const bytes = Buffer.concat([buildReceiverReport(5, [], 'x'), buildPictureLossIndication(5, 0xdeadbeef)]);
    expect(bytes.subarray(-12)).toEqual(Buffer.from('81ce000200000005deadbeef', 'hex'));
    expect(parseRtcp(bytes).at(-1)).toEqual({ type: 'keyframe-request', ssrc: 5 });
    const fir = Buffer.from('84ce0004000000060000000000000007' + '01000000', 'hex');
    expect(parseRtcp(fir)).toEqual([{ type: 'keyframe-request', ssrc: 6 }]);
  });

  it('has no wall clock where a camera sends none', () => {
    const bytes = buildSenderReport({ ssrc: 1, ntp: 0, rtpTimestamp: 5, packets: 0, bytes: 0, cname: '' });
    bytes.fill(0, 8, 16);
    expect(parseRtcp(bytes)[0]).toMatchObject({ type: 'sender-report', ntp: undefined });
  });

  it('never throws', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 120 }), fc.integer({ min: 199, max: 204 }), (tail, type) => {
        parseRtcp(Buffer.concat([Buffer.from([0x80 | (tail.length & 31), type, 0, tail.length >> 2]), tail]));
        expect(parseRtcp(Buffer.from(tail))).toBeInstanceOf(Array);
      }),
      { numRuns: 500 },
    );
  });
});
