import { fromNtp, toNtp } from './ntp.ts';

/** What a receiver says about one source (RFC 3550 section 6.4.1). */
export interface ReportBlock {
  readonly ssrc: number;
  /** Share lost since the last report, in 1/256. */
  readonly fractionLost: number;
  /** Packets lost in all, signed. */
  readonly lost: number;
  /** Highest sequence number with its cycles. */
  readonly highestSequence: number;
  /** Ticks of the RTP clock. */
  readonly jitter: number;
  /** Middle 32 bits of the NTP time of the last sender report. */
  readonly lastReport: number;
  /** 1/65536 s since it arrived. */
  readonly delaySinceLastReport: number;
}

export interface SenderReport {
  readonly type: 'sender-report';
  readonly ssrc: number;
  /** Wall clock in ms since 1970; undefined where the sender has none (NTP time 0). */
  readonly ntp: number | undefined;
  /** The same instant in RTP time, 32 bits. */
  readonly rtpTimestamp: number;
  readonly packets: number;
  readonly bytes: number;
  readonly reports: readonly ReportBlock[];
}

export interface ReceiverReport {
  readonly type: 'receiver-report';
  readonly ssrc: number;
  readonly reports: readonly ReportBlock[];
}

export interface SourceDescription {
  readonly type: 'source-description';
  readonly sources: readonly { readonly ssrc: number; readonly cname: string | undefined }[];
}

export interface Goodbye {
  readonly type: 'goodbye';
  readonly ssrcs: readonly number[];
}

/** A receiver cannot decode on: picture loss indication (RFC 4585 section 6.3.1) or full intra request (RFC 5104). */
export interface KeyframeRequest {
  readonly type: 'keyframe-request';
  readonly ssrc: number;
}

/** A receiver misses packets of `ssrc` and asks for them again (generic NACK, RFC 4585 section 6.2.1). */
export interface NegativeAcknowledgement {
  readonly type: 'nack';
  readonly ssrc: number;
  /** 16 bits each. */
  readonly sequences: readonly number[];
}

export type RtcpPacket =
  | SenderReport
  | ReceiverReport
  | SourceDescription
  | Goodbye
  | KeyframeRequest
  | NegativeAcknowledgement;

const SR = 200;
const RR = 201;
const SDES = 202;
const BYE = 203;
const RTPFB = 205;
const PSFB = 206;
/** Kind of transport-layer feedback. */
const NACK = 1;
/** Kinds of payload-specific feedback. */
const PLI = 1;
const FIR = 4;
const REMB = 15;

/** Reads a compound RTCP packet; unknown and broken parts are left out. Never throws. */
export function parseRtcp(bytes: Buffer): RtcpPacket[] {
  const packets: RtcpPacket[] = [];
  for (let at = 0; at + 4 <= bytes.length; ) {
    const first = bytes.readUInt8(at);
    if (first >> 6 !== 2) break;
    const length = (bytes.readUInt16BE(at + 2) + 1) * 4;
    if (at + length > bytes.length) break;
    const packet = parseOne(first & 0x1f, bytes.readUInt8(at + 1), bytes.subarray(at + 4, at + length));
    if (packet) packets.push(packet);
    at += length;
  }
  return packets;
}

function parseOne(count: number, type: number, body: Buffer): RtcpPacket | undefined {
  if (type === SR && body.length >= 24) {
    const time = { seconds: body.readUInt32BE(4), fraction: body.readUInt32BE(8) };
    return {
      type: 'sender-report',
      ssrc: body.readUInt32BE(0),
      ntp: time.seconds === 0 ? undefined : fromNtp(time),
      rtpTimestamp: body.readUInt32BE(12),
      packets: body.readUInt32BE(16),
      bytes: body.readUInt32BE(20),
      reports: parseReports(body.subarray(24), count),
    };
  }
  if (type === RR && body.length >= 4) {
    return {
      type: 'receiver-report',
      ssrc: body.readUInt32BE(0),
      reports: parseReports(body.subarray(4), count),
    };
  }
  if (type === SDES) return { type: 'source-description', sources: parseSources(body, count) };
  if (type === BYE) {
    const ssrcs: number[] = [];
    for (let i = 0; i < count && (i + 1) * 4 <= body.length; i++) ssrcs.push(body.readUInt32BE(i * 4));
    return { type: 'goodbye', ssrcs };
  }
  if (type === PSFB && (count === PLI || count === FIR) && body.length >= 8) {
    return { type: 'keyframe-request', ssrc: body.readUInt32BE(0) };
  }
  if (type === RTPFB && count === NACK && body.length >= 8) {
    return { type: 'nack', ssrc: body.readUInt32BE(4), sequences: parseSequences(body.subarray(8)) };
  }
  return undefined;
}

/** Pairs of a sequence number and a mask of the sixteen that follow it. */
function parseSequences(body: Buffer): number[] {
  const sequences: number[] = [];
  for (let at = 0; at + 4 <= body.length; at += 4) {
    const first = body.readUInt16BE(at);
    const mask = body.readUInt16BE(at + 2);
    sequences.push(first);
    for (let bit = 0; bit < 16; bit++) if ((mask >> bit) & 1) sequences.push((first + bit + 1) & 0xffff);
  }
  return sequences;
}

function parseReports(body: Buffer, count: number): ReportBlock[] {
  const reports: ReportBlock[] = [];
  for (let at = 0; reports.length < count && at + 24 <= body.length; at += 24) {
    reports.push({
      ssrc: body.readUInt32BE(at),
      fractionLost: body.readUInt8(at + 4),
      lost: body.readIntBE(at + 5, 3),
      highestSequence: body.readUInt32BE(at + 8),
      jitter: body.readUInt32BE(at + 12),
      lastReport: body.readUInt32BE(at + 16),
      delaySinceLastReport: body.readUInt32BE(at + 20),
    });
  }
  return reports;
}

function parseSources(body: Buffer, count: number): { ssrc: number; cname: string | undefined }[] {
  const sources: { ssrc: number; cname: string | undefined }[] = [];
  let at = 0;
  while (sources.length < count && at + 4 <= body.length) {
    const ssrc = body.readUInt32BE(at);
    let cname: string | undefined;
    at += 4;
    while (at < body.length && body[at] !== 0) {
      const size = body[at + 1] ?? 0;
      if (body[at] === 1) cname = body.toString('utf8', at + 2, Math.min(at + 2 + size, body.length));
      at += 2 + size;
    }
    at += 4 - (at % 4); // one zero at least, up to the next multiple of 4
    sources.push({ ssrc, cname });
  }
  return sources;
}

/** SR and SDES in one compound packet, as RFC 3550 section 6.1 demands. `ntp` in ms since 1970. */
export function buildSenderReport(report: {
  readonly ssrc: number;
  readonly ntp: number;
  readonly rtpTimestamp: number;
  readonly packets: number;
  readonly bytes: number;
  readonly cname: string;
}): Buffer {
  const sr = Buffer.alloc(28);
  sr[0] = 0x80;
  sr[1] = SR;
  sr.writeUInt16BE(6, 2);
  sr.writeUInt32BE(report.ssrc, 4);
  const time = toNtp(report.ntp);
  sr.writeUInt32BE(time.seconds, 8);
  sr.writeUInt32BE(time.fraction, 12);
  sr.writeUInt32BE(report.rtpTimestamp, 16);
  sr.writeUInt32BE(report.packets % 2 ** 32, 20);
  sr.writeUInt32BE(report.bytes % 2 ** 32, 24);
  return Buffer.concat([sr, buildDescription(report.ssrc, report.cname)]);
}

/** A sender report as {@link buildSenderReport} makes it, of another source; in a Buffer of its own. */
export function readdressReport(report: Buffer, ssrc: number): Buffer {
  const copy = Buffer.from(report);
  copy.writeUInt32BE(ssrc, 4);
  // The description behind the 28 bytes of the report names its source too.
  copy.writeUInt32BE(ssrc, 32);
  return copy;
}

/** RR and SDES in one compound packet. */
export function buildReceiverReport(ssrc: number, reports: readonly ReportBlock[], cname: string): Buffer {
  const blocks = reports.slice(0, 31);
  const rr = Buffer.alloc(8 + blocks.length * 24);
  rr[0] = 0x80 | blocks.length;
  rr[1] = RR;
  rr.writeUInt16BE(rr.length / 4 - 1, 2);
  rr.writeUInt32BE(ssrc, 4);
  blocks.forEach((block, i) => {
    const at = 8 + i * 24;
    rr.writeUInt32BE(block.ssrc, at);
    rr.writeUInt8(block.fractionLost, at + 4);
    rr.writeIntBE(Math.max(-0x80_0000, Math.min(block.lost, 0x7f_ffff)), at + 5, 3);
    rr.writeUInt32BE(block.highestSequence, at + 8);
    rr.writeUInt32BE(block.jitter, at + 12);
    rr.writeUInt32BE(block.lastReport, at + 16);
    rr.writeUInt32BE(block.delaySinceLastReport, at + 20);
  });
  return Buffer.concat([rr, buildDescription(ssrc, cname)]);
}

/**
 * A picture loss indication (RFC 4585 section 6.3.1): asks the sender of `media` for a keyframe. It is sent behind a
 * receiver report, in one compound packet.
 */
export function buildPictureLossIndication(ssrc: number, media: number): Buffer {
  const pli = Buffer.alloc(12);
  pli[0] = 0x80 | PLI;
  pli[1] = PSFB;
  pli.writeUInt16BE(2, 2);
  pli.writeUInt32BE(ssrc, 4);
  pli.writeUInt32BE(media, 8);
  return pli;
}

/** Asks the sender of `media` for packets again (generic NACK, RFC 4585 section 6.2.1); goes behind a receiver report. */
export function buildNack(ssrc: number, media: number, sequences: readonly number[]): Buffer {
  const pairs: { first: number; mask: number }[] = [];
  for (const sequence of sequences) {
    const last = pairs.at(-1);
    const ahead = last ? (sequence - last.first) & 0xffff : 0;
    if (last && ahead >= 1 && ahead <= 16) last.mask |= 1 << (ahead - 1);
    else pairs.push({ first: sequence, mask: 0 });
  }
  const nack = Buffer.alloc(12 + pairs.length * 4);
  nack[0] = 0x80 | NACK;
  nack[1] = RTPFB;
  nack.writeUInt16BE(nack.length / 4 - 1, 2);
  nack.writeUInt32BE(ssrc, 4);
  nack.writeUInt32BE(media, 8);
  pairs.forEach(({ first, mask }, i) => {
    nack.writeUInt16BE(first, 12 + i * 4);
    nack.writeUInt16BE(mask, 14 + i * 4);
  });
  return nack;
}

/** Tells senders how much they may send in all, bit/s (REMB, draft-alvestrand-rmcat-remb-03 section 2.2). */
export function buildRemb(ssrc: number, bitrate: number, medias: readonly number[]): Buffer {
  const remb = Buffer.alloc(20 + medias.length * 4);
  remb[0] = 0x80 | REMB;
  remb[1] = PSFB;
  remb.writeUInt16BE(remb.length / 4 - 1, 2);
  remb.writeUInt32BE(ssrc, 4);
  remb.write('REMB', 12, 'latin1');
  let exponent = 0;
  while (bitrate / 2 ** exponent >= 2 ** 18) exponent++;
  remb[16] = medias.length;
  remb.writeUIntBE((exponent << 18) | Math.floor(bitrate / 2 ** exponent), 17, 3);
  medias.forEach((media, i) => remb.writeUInt32BE(media, 20 + i * 4));
  return remb;
}

function buildDescription(ssrc: number, cname: string): Buffer {
  const name = Buffer.from(cname, 'utf8').subarray(0, 255);
  const size = Math.ceil((8 + 2 + name.length + 1) / 4) * 4;
  const sdes = Buffer.alloc(size);
  sdes[0] = 0x81;
  sdes[1] = SDES;
  sdes.writeUInt16BE(size / 4 - 1, 2);
  sdes.writeUInt32BE(ssrc, 4);
  sdes[8] = 1;
  sdes[9] = name.length;
  name.copy(sdes, 10);
  return sdes;
}
