import { buildSenderReport as build } from '../../../src/protocols/rtcp/packet.ts';

/** A sender report without counters; `ntp` NaN: NTP time 0, as cameras without a clock send it. */
export function buildSenderReport(report: {
  readonly ssrc: number;
  readonly ntp: number;
  readonly rtpTimestamp: number;
  readonly cname: string;
}): Buffer {
  const hasClock = Number.isFinite(report.ntp);
  const bytes = build({ ...report, ntp: hasClock ? report.ntp : 0, packets: 0, bytes: 0 });
  if (!hasClock) bytes.fill(0, 8, 16);
  return bytes;
}

/** BYE of one source (RFC 3550 section 6.6). */
export function buildGoodbye(ssrc: number): Buffer {
  const bytes = Buffer.from([0x81, 203, 0, 1, 0, 0, 0, 0]);
  bytes.writeUInt32BE(ssrc, 4);
  return bytes;
}
