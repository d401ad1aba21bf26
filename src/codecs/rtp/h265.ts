import { H265, h265NalType, isH265Keyframe } from '../h265.ts';
import type { CodedFrame, Depacketizer, DepacketizerInput, Packetizer, RtpPayload } from './contract.ts';
import { NalAssembler } from './nal-assembler.ts';

const AP = 48;
const FU = 49;
const START = 0x80;
const END = 0x40;

/** H.265 from RTP (RFC 7798): single NAL units, AP, FU; without DONL (sprop-max-don-diff 0, which is all that is seen). */
export class H265Depacketizer implements Depacketizer {
  readonly #assembler = new NalAssembler(isH265Keyframe);

  get dropped(): number {
    return this.#assembler.dropped;
  }

  push(packet: DepacketizerInput): CodedFrame[] {
    return this.#assembler.push(packet, (payload) => this.#parse(payload));
  }

  #parse(payload: Buffer): void {
    const first = payload[0];
    const second = payload[1];
    if (first === undefined || second === undefined) return;
    const type = h265NalType(payload);
    if (type === AP) this.#aggregate(payload);
    else if (type === FU) {
      const header = payload[2];
      if (header === undefined) return this.#assembler.damage();
      const nalHeader = [(first & 0x81) | ((header & 0x3f) << 1), second];
      this.#assembler.fragment(nalHeader, payload.subarray(3), (header & START) !== 0, (header & END) !== 0);
    } else if (type < AP) this.#assembler.nal(payload);
    else this.#assembler.damage();
  }

  #aggregate(payload: Buffer): void {
    let at = 2;
    while (at + 2 <= payload.length) {
      const size = payload.readUInt16BE(at);
      at += 2;
      if (at + size > payload.length) return this.#assembler.damage();
      if (size > 0) this.#assembler.nal(payload.subarray(at, at + size));
      at += size;
    }
  }
}

/** H.265 to RTP: single NAL units, small neighbours together in AP, large ones in FU. */
export class H265Packetizer implements Packetizer {
  packetize(payload: readonly Buffer[], maxPayloadSize: number): RtpPayload[] {
    const packets: Buffer[][] = [];
    let pending: Buffer[] = [];
    let pendingSize = 2;
    const flush = () => {
      if (pending.length === 1) packets.push(pending);
      else if (pending.length > 1) packets.push(aggregate(pending));
      pending = [];
      pendingSize = 2;
    };
    for (const nal of payload) {
      if (nal.length < 2 || h265NalType(nal) === H265.aud) continue;
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
  // Layer and temporal id are the lowest of the aggregated NAL units (RFC 7798 section 4.4.2).
  let layer = 63;
  let temporal = 7;
  for (const nal of nals) {
    const header = nal.readUInt16BE(0);
    layer = Math.min(layer, (header >> 3) & 0x3f);
    temporal = Math.min(temporal, header & 7);
  }
  const header = [(AP << 1) | (layer >> 5), ((layer & 0x1f) << 3) | temporal];
  const parts: Buffer[] = [];
  nals.forEach((nal, i) => {
    const size = [nal.length >> 8, nal.length & 0xff];
    parts.push(Buffer.from(i === 0 ? [...header, ...size] : size), nal);
  });
  return parts;
}

function fragment(nal: Buffer, maxPayloadSize: number, packets: Buffer[][]): void {
  const first = nal[0] ?? 0;
  const second = nal[1] ?? 0;
  const type = h265NalType(nal);
  const room = maxPayloadSize - 3;
  for (let at = 2; at < nal.length; at += room) {
    const end = Math.min(at + room, nal.length);
    const flags = (at === 2 ? START : 0) | (end === nal.length ? END : 0);
    packets.push([Buffer.from([(first & 0x81) | (FU << 1), second, flags | type]), nal.subarray(at, end)]);
  }
}
