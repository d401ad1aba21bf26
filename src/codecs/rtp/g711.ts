import type { CodedFrame, Depacketizer, DepacketizerInput, Packetizer, RtpPayload } from './contract.ts';

/** G.711 from RTP (RFC 3551): samples, one packet is one frame. */
export class G711Depacketizer implements Depacketizer {
  readonly dropped = 0;

  push(packet: DepacketizerInput): CodedFrame[] {
    if (packet.payload.length === 0) return [];
    return [{ timestamp: packet.timestamp, payload: [packet.payload], keyframe: true }];
  }
}

/** G.711 to RTP: split between samples where it does not fit. */
export class G711Packetizer implements Packetizer {
  readonly #channels: number;

  constructor(channels = 1) {
    this.#channels = Math.max(channels, 1);
  }

  packetize(payload: readonly Buffer[], maxPayloadSize: number): RtpPayload[] {
    const room = Math.max(maxPayloadSize - (maxPayloadSize % this.#channels), this.#channels);
    const packets: RtpPayload[] = [];
    let offset = 0;
    for (const samples of payload) {
      for (let at = 0; at < samples.length; at += room) {
        const piece = samples.length <= room ? samples : samples.subarray(at, at + room);
        packets.push({ parts: [piece], marker: false, timestampOffset: offset });
        offset += Math.floor(piece.length / this.#channels);
      }
    }
    return packets;
  }
}
