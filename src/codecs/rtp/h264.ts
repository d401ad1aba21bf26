import { H264, h264NalType, isH264Keyframe } from '../h264.ts';
import type { CodedFrame, Depacketizer, DepacketizerInput, Packetizer, RtpPayload } from './contract.ts';
import { NalAssembler } from './nal-assembler.ts';

const STAP_A = 24;
const FU_A = 28;
const START = 0x80;
const END = 0x40;

/** H.264 from RTP (RFC 6184): single NAL units, STAP-A, FU-A. */
export class H264Depacketizer implements Depacketizer {
  readonly #assembler = new NalAssembler(isH264Keyframe);

  get dropped(): number {
    return this.#assembler.dropped;
  }

  push(packet: DepacketizerInput): CodedFrame[] {
    return this.#assembler.push(packet, (payload) => this.#parse(payload));
  }

  #parse(payload: Buffer): void {
    const first = payload[0];
    if (first === undefined) return;
    const type = first & 0x1f;
    if (type === STAP_A) this.#aggregate(payload);
    else if (type === FU_A) {
      const header = payload[1];
      if (header === undefined) return this.#assembler.damage();
      const nalHeader = [(first & 0xe0) | (header & 0x1f)];
      this.#assembler.fragment(nalHeader, payload.subarray(2), (header & START) !== 0, (header & END) !== 0);
    } else if (type < STAP_A) {
      // Type 0 is no NAL unit: the first byte of a start code, which the assembler takes apart.
      this.#assembler.nal(payload);
    } else this.#assembler.damage();
  }

  #aggregate(payload: Buffer): void {
    let at = 1;
    while (at + 2 <= payload.length) {
      const size = payload.readUInt16BE(at);
      at += 2;
      if (at + size > payload.length) return this.#assembler.damage();
      if (size > 0) this.#assembler.nal(payload.subarray(at, at + size));
      at += size;
    }
  }
}

/** H.264 to RTP, packetization-mode 1: single NAL units, small neighbours together in STAP-A, large ones in FU-A. */
export class H264Packetizer implements Packetizer {
  packetize(payload: readonly Buffer[], maxPayloadSize: number): RtpPayload[] {
    const packets: Buffer[][] = [];
    let pending: Buffer[] = [];
    let pendingSize = 1;
    const flush = () => {
      if (pending.length === 1) packets.push(pending);
      else if (pending.length > 1) packets.push(aggregate(pending));
      pending = [];
      pendingSize = 1;
    };
    for (const nal of payload) {
      if (nal.length === 0 || h264NalType(nal) === H264.aud) continue;
      if (nal.length > maxPayloadSize) {
        flush();
        fragment(nal, maxPayloadSize, packets);
        continue;
      }
      if (pendingSize + 2 + nal.length > maxPayloadSize) flush();
      pending.push(nal);
      pendingSize += 2 + nal.length;
    }
    flush();
    return packets.map((parts, i) => ({ parts, marker: i === packets.length - 1, timestampOffset: 0 }));
  }
}

function aggregate(nals: readonly Buffer[]): Buffer[] {
  // The aggregate carries the highest importance (nal_ref_idc) of its NAL units (RFC 6184 section 5.7.1).
  let importance = 0;
  for (const nal of nals) importance = Math.max(importance, (nal[0] ?? 0) & 0x60);
  const parts: Buffer[] = [];
  nals.forEach((nal, i) => {
    const size = [nal.length >> 8, nal.length & 0xff];
    parts.push(Buffer.from(i === 0 ? [importance | STAP_A, ...size] : size), nal);
  });
  return parts;
}

function fragment(nal: Buffer, maxPayloadSize: number, packets: Buffer[][]): void {
  const first = nal[0] ?? 0;
  const room = maxPayloadSize - 2;
  for (let at = 1; at < nal.length; at += room) {
    const end = Math.min(at + room, nal.length);
    const flags = (at === 1 ? START : 0) | (end === nal.length ? END : 0);
    packets.push([Buffer.from([(first & 0xe0) | FU_A, flags | (first & 0x1f)]), nal.subarray(at, end)]);
  }
}
