import { parseMp3Header } from '../mp3.ts';
import type { CodedFrame, Depacketizer, DepacketizerInput, Packetizer, RtpPayload } from './contract.ts';

/** Of MPEG audio over RTP, whatever its sample rate (RFC 3551 section 4.5.13). */
export const MPA_CLOCK_RATE = 90_000;
/** Two bytes of zeros, and where in its frame the fragment stands (RFC 2250 section 3.5). */
const HEADER_SIZE = 4;

/** MP3 from RTP (RFC 2250): several frames a packet, and frames in several packets. */
export class Mp3Depacketizer implements Depacketizer {
  dropped = 0;
  #begun: Buffer[] = [];
  #has = 0;
  #size = 0;

  push({ payload, timestamp, lost }: DepacketizerInput): CodedFrame[] {
    if (payload.length <= HEADER_SIZE) return [];
    const offset = payload.readUInt16BE(2);
    const data = payload.subarray(HEADER_SIZE);
    if (offset === 0) {
      this.#giveUp();
      return this.#frames(data, timestamp);
    }
    if (this.#size === 0) return [];
    if (lost || offset !== this.#has || this.#has + data.length > this.#size) {
      this.#giveUp();
      return [];
    }
    this.#begun.push(data);
    this.#has += data.length;
    if (this.#has < this.#size) return [];
    const frame = Buffer.concat(this.#begun);
    this.#reset();
    return [{ timestamp, payload: [frame], keyframe: true }];
  }

  /** Takes frames apart by the sizes that they say; one that is not all there is waited for. */
  #frames(data: Buffer, timestamp: number): CodedFrame[] {
    const frames: CodedFrame[] = [];
    let samples = 0;
    for (let at = 0; at < data.length; ) {
      const rest = data.subarray(at);
      const info = parseMp3Header(rest);
      if (!info) {
        this.dropped++;
        break;
      }
      if (info.size > rest.length) {
        if (at > 0) this.dropped++;
        else this.#begin(rest, info.size);
        break;
      }
      const time = timestamp + Math.round((samples * MPA_CLOCK_RATE) / info.sampleRate);
      frames.push({ timestamp: time % 2 ** 32, payload: [rest.subarray(0, info.size)], keyframe: true });
      samples += info.samples;
      at += info.size;
    }
    return frames;
  }

  #begin(part: Buffer, size: number): void {
    this.#begun = [part];
    this.#has = part.length;
    this.#size = size;
  }

  #giveUp(): void {
    if (this.#size > 0) this.dropped++;
    this.#reset();
  }

  #reset(): void {
    this.#begun = [];
    this.#has = 0;
    this.#size = 0;
  }
}

/** MP3 to RTP: one frame a packet, larger ones in fragments. */
export class Mp3Packetizer implements Packetizer {
  packetize(payload: readonly Buffer[], maxPayloadSize: number): RtpPayload[] {
    const room = Math.max(maxPayloadSize - HEADER_SIZE, 1);
    const packets: RtpPayload[] = [];
    for (const frame of payload) {
      for (let at = 0; at < frame.length; at += room) {
        const header = Buffer.alloc(HEADER_SIZE);
        header.writeUInt16BE(at, 2);
        const parts = [header, frame.subarray(at, at + room)];
        packets.push({ parts, marker: false, timestampOffset: 0 });
      }
    }
    return packets;
  }
}
