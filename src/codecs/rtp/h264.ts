import { H264, h264NalType, isH264Keyframe } from '../h264.ts';
import type { CodedFrame, Depacketizer, DepacketizerInput, Packetizer, RtpPayload } from './contract.ts';
import { NalAssembler } from './nal-assembler.ts';
import { type NalPacking, packNals } from './nal-packing.ts';

const STAP_A = 24;
const FU_A = 28;

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
    if (type === STAP_A) this.#assembler.aggregate(payload, 1);
    else if (type === FU_A) {
      const header = payload[1];
      if (header === undefined) return this.#assembler.damage();
      const nalHeader = [(first & 0xe0) | (header & 0x1f)];
      this.#assembler.fragment(nalHeader, payload.subarray(2), header);
    } else if (type < STAP_A) {
      // Type 0 is no NAL unit: the first byte of a start code, which the assembler takes apart.
      this.#assembler.nal(payload);
    } else this.#assembler.damage();
  }
}

const packing: NalPacking = {
  headerLength: 1,
  isSpare: (nal) => h264NalType(nal) === H264.aud,
  aggregateHeader(nals) {
    // The aggregate carries the highest importance (nal_ref_idc) of its NAL units (RFC 6184 section 5.7.1).
    let importance = 0;
    for (const nal of nals) importance = Math.max(importance, (nal[0] ?? 0) & 0x60);
    return [importance | STAP_A];
  },
  fragmentHeader(nal, flags) {
    const first = nal[0] ?? 0;
    return [(first & 0xe0) | FU_A, flags | (first & 0x1f)];
  },
};

/** H.264 to RTP, packetization-mode 1: single NAL units, small neighbours together in STAP-A, large ones in FU-A. */
export class H264Packetizer implements Packetizer {
  packetize(payload: readonly Buffer[], maxPayloadSize: number): RtpPayload[] {
    return packNals(payload, maxPayloadSize, packing);
  }
}
