import { H265, h265NalType, isH265Keyframe } from '../h265.ts';
import type { CodedFrame, Depacketizer, DepacketizerInput, Packetizer, RtpPayload } from './contract.ts';
import { NalAssembler } from './nal-assembler.ts';
import { type NalPacking, packNals } from './nal-packing.ts';

const AP = 48;
const FU = 49;

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
    if (type === AP) this.#assembler.aggregate(payload, 2);
    else if (type === FU) {
      const header = payload[2];
      if (header === undefined) return this.#assembler.damage();
      const nalHeader = [(first & 0x81) | ((header & 0x3f) << 1), second];
      this.#assembler.fragment(nalHeader, payload.subarray(3), header);
    } else if (type < AP) this.#assembler.nal(payload);
    else this.#assembler.damage();
  }
}

const packing: NalPacking = {
  headerLength: 2,
  isSpare: (nal) => h265NalType(nal) === H265.aud,
  aggregateHeader(nals) {
    // Layer and temporal id are the lowest of the aggregated NAL units (RFC 7798 section 4.4.2).
    let layer = 63;
    let temporal = 7;
    for (const nal of nals) {
      const header = nal.readUInt16BE(0);
      layer = Math.min(layer, (header >> 3) & 0x3f);
      temporal = Math.min(temporal, header & 7);
    }
    return [(AP << 1) | (layer >> 5), ((layer & 0x1f) << 3) | temporal];
  },
  fragmentHeader(nal, flags) {
    return [((nal[0] ?? 0) & 0x81) | (FU << 1), nal[1] ?? 0, flags | h265NalType(nal)];
  },
};

/** H.265 to RTP: single NAL units, small neighbours together in AP, large ones in FU. */
export class H265Packetizer implements Packetizer {
  packetize(payload: readonly Buffer[], maxPayloadSize: number): RtpPayload[] {
    return packNals(payload, maxPayloadSize, packing);
  }
}
