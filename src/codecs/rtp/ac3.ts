import { AC3_FRAME_SAMPLES, parseAc3Frame } from '../ac3.ts';
import {
  type CodedFrame,
  type Depacketizer,
  type DepacketizerInput,
  FRAME_LIMITS,
  type Packetizer,
  type RtpPayload,
} from './contract.ts';

/** Frame type in the payload header (RFC 4184 section 4.1.1). */
const WHOLE = 0;
/** The first fragment, with the first five eighths of the frame, which can be decoded alone; and without them. */
const FIRST_LARGE = 1;
const FIRST_SMALL = 2;
const OTHER = 3;
const HEADER_SIZE = 2;

/** AC-3 from RTP (RFC 4184): several frames a packet, and frames in several packets. */
export class Ac3Depacketizer implements Depacketizer {
  dropped = 0;
  #fragments: Buffer[] = [];
  #bytes = 0;
  #damaged = false;

  push({ payload, marker, timestamp, lost }: DepacketizerInput): CodedFrame[] {
    const type = (payload[0] ?? 0) & 3;
    const data = payload.subarray(HEADER_SIZE);
    if (type !== OTHER) {
      // What was begun before never came to its end.
      if (this.#fragments.length > 0 || this.#damaged) this.#giveUp();
      if (type === WHOLE) return this.#frames(data, timestamp);
    } else if (lost || this.#fragments.length === 0) this.#damaged = true;
    this.#bytes += data.length;
    if (this.#bytes > FRAME_LIMITS.bytes || this.#fragments.length > FRAME_LIMITS.nals) this.#damaged = true;
    if (!this.#damaged) this.#fragments.push(data);
    if (!marker) return [];
    const whole = this.#damaged ? undefined : Buffer.concat(this.#fragments);
    if (!whole) this.#giveUp();
    this.#reset();
    return whole ? this.#frames(whole, timestamp) : [];
  }

  /** Takes frames apart by the sizes that they say. */
  #frames(data: Buffer, timestamp: number): CodedFrame[] {
    const frames: CodedFrame[] = [];
    for (let at = 0; at < data.length; ) {
      const size = parseAc3Frame(data.subarray(at))?.size;
      if (size === undefined || at + size > data.length) {
        this.dropped++;
        break;
      }
      const time = (timestamp + frames.length * AC3_FRAME_SAMPLES) % 2 ** 32;
      frames.push({ timestamp: time, payload: [data.subarray(at, at + size)], keyframe: true });
      at += size;
    }
    return frames;
  }

  #giveUp(): void {
    this.dropped++;
    this.#reset();
  }

  #reset(): void {
    this.#fragments = [];
    this.#bytes = 0;
    this.#damaged = false;
  }
}

/** AC-3 to RTP: one frame a packet, larger ones fragmented. */
export class Ac3Packetizer implements Packetizer {
  packetize(payload: readonly Buffer[], maxPayloadSize: number): RtpPayload[] {
    const packets: RtpPayload[] = [];
    for (const frame of payload) {
      const room = Math.max(maxPayloadSize - HEADER_SIZE, 1);
      const count = Math.ceil(frame.length / room);
      for (let i = 0; i < count; i++) {
        const piece = frame.subarray(i * room, (i + 1) * room);
        const first = piece.length >= (frame.length * 5) / 8 ? FIRST_LARGE : FIRST_SMALL;
        const type = count === 1 ? WHOLE : i === 0 ? first : OTHER;
        const parts = [Buffer.from([type, count]), piece];
        packets.push({ parts, marker: i === count - 1, timestampOffset: 0 });
      }
    }
    return packets;
  }
}
