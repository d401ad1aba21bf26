import type { CodedFrame, Depacketizer, DepacketizerInput, Packetizer, RtpPayload } from './contract.ts';

/** Opus from RTP (RFC 7587): one packet, one frame. */
export class OpusDepacketizer implements Depacketizer {
  readonly dropped = 0;

  push(packet: DepacketizerInput): CodedFrame[] {
    if (packet.payload.length === 0) return [];
    return [{ timestamp: packet.timestamp, payload: [packet.payload], keyframe: true }];
  }
}

/** Opus to RTP. A packet cannot be fragmented, so one that is larger than `maxPayloadSize` goes as it is. */
export class OpusPacketizer implements Packetizer {
  packetize(payload: readonly Buffer[], _maxPayloadSize: number): RtpPayload[] {
    return payload
      .filter((packet) => packet.length > 0)
      .map((packet) => ({ parts: [packet], marker: false, timestampOffset: 0 }));
  }
}
