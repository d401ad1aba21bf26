import { toNtp } from '../rtcp/ntp.ts';
import type { ReportBlock } from '../rtcp/packet.ts';
import type { RtpPacket } from './packet.ts';

/** A leap further ahead than this, or any far back, is a sender that began anew (MAX_DROPOUT, RFC 3550 A.1). */
const MAX_DROPOUT = 3000;
/** Packets so far behind are only out of order. */
const MAX_MISORDER = 1024;

interface Source {
  readonly ssrc: number;
  readonly base: number;
  /** Highest sequence number with its cycles. */
  highest: number;
  received: number;
  /** What was expected and received when the last report was made. */
  reported: { expected: number; received: number };
  /** Ticks. */
  jitter: number;
  last: { timestamp: number; at: number };
}

/** What the packets of one track tell its sender: loss and jitter after RFC 3550 sections 6.4.1, A.3 and A.8. */
export class Reception {
  readonly #clockRate: number;
  #source: Source | undefined;
  #senderReport: { middle: number; at: number } | undefined;

  constructor(clockRate: number) {
    this.#clockRate = clockRate;
  }

  /** A packet, in the order of arrival, which is not that of its number. */
  packet({ ssrc, sequence, timestamp }: RtpPacket, now: number): void {
    const source = this.#source;
    const ahead = source?.ssrc === ssrc ? ((sequence - source.highest) << 16) >> 16 : undefined;
    if (!source || ahead === undefined || ahead >= MAX_DROPOUT || ahead < -MAX_MISORDER) {
      this.#source = {
        ssrc,
        base: sequence,
        highest: sequence,
        received: 1,
        reported: { expected: 0, received: 0 },
        jitter: 0,
        last: { timestamp, at: now },
      };
      return;
    }
    source.received++;
    if (ahead > 0) source.highest += ahead;
    const { last } = source;
    const sent = (timestamp - last.timestamp) | 0;
    // Packets of one picture share a timestamp; how they are spaced is the sender's choice, not jitter of the network.
    if (sent === 0) return;
    const difference = Math.abs(((now - last.at) * this.#clockRate) / 1000 - sent);
    source.jitter += (difference - source.jitter) / 16;
    source.last = { timestamp, at: now };
  }

  /** A sender report with its wall clock (ms since 1970) arrived. */
  senderReport(ntp: number, now: number): void {
    const { seconds, fraction } = toNtp(ntp);
    this.#senderReport = { middle: ((seconds << 16) | (fraction >>> 16)) >>> 0, at: now };
  }

  /** What to report now; undefined before the first packet. Each call begins a new interval of `fractionLost`. */
  report(now: number): ReportBlock | undefined {
    const source = this.#source;
    if (!source) return undefined;
    const expected = source.highest - source.base + 1;
    const { received, reported } = source;
    const due = expected - reported.expected;
    const missing = due - (received - reported.received);
    source.reported = { expected, received };
    const arrived = this.#senderReport;
    const delay = arrived ? Math.round(((now - arrived.at) * 65_536) / 1000) : 0;
    return {
      ssrc: source.ssrc,
      fractionLost: due > 0 && missing > 0 ? Math.min(Math.floor((missing * 256) / due), 255) : 0,
      lost: expected - received,
      highestSequence: source.highest % 2 ** 32,
      jitter: Math.min(Math.floor(source.jitter), 2 ** 32 - 1),
      lastReport: arrived?.middle ?? 0,
      delaySinceLastReport: Math.max(0, Math.min(delay, 2 ** 32 - 1)),
    };
  }
}
