import { mpeg4PictureType } from '../mpeg4.ts';
import type { CodedFrame, Depacketizer, DepacketizerInput, Packetizer, RtpPayload } from './contract.ts';
import { FrameAssembler, joined } from './frame-assembler.ts';

/** MPEG-4 part 2 from RTP (RFC 6416 section 5): the elementary stream in pieces, the last of a picture marked. */
export class Mpeg4Depacketizer implements Depacketizer {
  readonly #frame = new FrameAssembler((parts) => {
    const frame = joined(parts);
    return { payload: [frame], keyframe: mpeg4PictureType(frame) === 'I' };
  });

  get dropped(): number {
    return this.#frame.dropped;
  }

  push(packet: DepacketizerInput): CodedFrame[] {
    return this.#frame.push(packet, (payload) => {
      if (payload.length === 0) return;
      // Headers and pictures begin with a start code; what begins with anything else goes on with something lost.
      if (this.#frame.isEmpty && (payload.length < 4 || payload.readUIntBE(0, 3) !== 1)) this.#frame.damage();
      this.#frame.add(payload);
    });
  }
}

/** MPEG-4 part 2 to RTP: one picture, with the headers in front of it, cut where a packet is full. */
export class Mpeg4Packetizer implements Packetizer {
  packetize(payload: readonly Buffer[], maxPayloadSize: number): RtpPayload[] {
    const frame = joined(payload);
    const room = Math.max(maxPayloadSize, 1);
    const packets: RtpPayload[] = [];
    for (let at = 0; at < frame.length; at += room) {
      const end = Math.min(at + room, frame.length);
      packets.push({ parts: [frame.subarray(at, end)], marker: end === frame.length, timestampOffset: 0 });
    }
    return packets;
  }
}
