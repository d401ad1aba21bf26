import { BitReader } from '#util/bits.ts';
import {
  type CodedFrame,
  type Depacketizer,
  type DepacketizerInput,
  FRAME_LIMITS,
  type Packetizer,
  type RtpPayload,
} from './contract.ts';

/** Bits of the fields of an AU header (RFC 3640 section 3.2.1); AAC-hbr has 13, 3, 3. */
export interface AacHeaderSizes {
  readonly sizeLength: number;
  readonly indexLength: number;
  readonly indexDeltaLength: number;
}

export const AAC_HBR: AacHeaderSizes = { sizeLength: 13, indexLength: 3, indexDeltaLength: 3 };

/** AAC from RTP (RFC 3640): several frames a packet, and frames in several packets. */
export class AacDepacketizer implements Depacketizer {
  dropped = 0;
  readonly #sizes: AacHeaderSizes;
  readonly #frameDuration: number;
  #fragments: Buffer[] = [];
  #fragmentSize = 0;
  #fragmentBytes = 0;

  /** `frameDuration`: ticks of the track's clock that one frame lasts. */
  constructor(sizes: AacHeaderSizes, frameDuration: number) {
    this.#sizes = sizes;
    this.#frameDuration = frameDuration;
  }

  push(packet: DepacketizerInput): CodedFrame[] {
    if (packet.lost && this.#fragments.length > 0) this.#dropFragments();
    const parsed = this.#parse(packet.payload);
    if (!parsed) {
      this.dropped++;
      return [];
    }
    const { sizes, data } = parsed;
    const size = sizes[0] ?? 0;
    if (sizes.length === 1 && (this.#fragments.length > 0 || size > data.length)) {
      return this.#pushFragment(packet, size, data);
    }
    if (this.#fragments.length > 0) this.#dropFragments();
    const frames: CodedFrame[] = [];
    let at = 0;
    sizes.forEach((length, i) => {
      if (length === 0 || at + length > data.length) {
        if (length > 0) this.dropped++;
        at = Math.min(at + length, data.length);
        return;
      }
      const timestamp = (packet.timestamp + i * this.#frameDuration) % 2 ** 32;
      frames.push({ timestamp, payload: [data.subarray(at, at + length)], keyframe: true });
      at += length;
    });
    return frames;
  }

  /** Sizes of the frames and the bytes after the headers; undefined when the headers are broken. */
  #parse(payload: Buffer): { sizes: number[]; data: Buffer } | undefined {
    const { sizeLength, indexLength, indexDeltaLength } = this.#sizes;
    if (sizeLength === 0) return { sizes: [payload.length], data: payload };
    if (payload.length < 2) return undefined;
    const headerBits = payload.readUInt16BE(0);
    const headerBytes = Math.ceil(headerBits / 8);
    if (headerBits === 0 || 2 + headerBytes > payload.length) return undefined;
    const bits = new BitReader(payload.subarray(2, 2 + headerBytes));
    const sizes: number[] = [];
    let left = headerBits;
    for (;;) {
      const index = sizes.length === 0 ? indexLength : indexDeltaLength;
      if (left < sizeLength + index) break;
      sizes.push(bits.read(sizeLength));
      bits.skip(index);
      left -= sizeLength + index;
    }
    return sizes.length > 0 ? { sizes, data: payload.subarray(2 + headerBytes) } : undefined;
  }

  /** A piece of a frame: each carries the size of the whole, the last one the marker. */
  #pushFragment(packet: DepacketizerInput, size: number, data: Buffer): CodedFrame[] {
    if (packet.lost) {
      this.dropped++;
      return [];
    }
    if (this.#fragments.length > 0 && size !== this.#fragmentSize) this.#dropFragments();
    this.#fragmentSize = size;
    this.#fragments.push(data);
    this.#fragmentBytes += data.length;
    if (this.#fragmentBytes < size && !packet.marker && this.#fragments.length < FRAME_LIMITS.nals) return [];
    if (this.#fragmentBytes !== size) {
      this.#dropFragments();
      return [];
    }
    const payload = [Buffer.concat(this.#fragments)];
    this.#fragments = [];
    this.#fragmentBytes = 0;
    return [{ timestamp: packet.timestamp, payload, keyframe: true }];
  }

  #dropFragments(): void {
    this.#fragments = [];
    this.#fragmentBytes = 0;
    this.dropped++;
  }
}

/** AAC to RTP, mode AAC-hbr: one frame a packet, larger ones fragmented. */
export class AacPacketizer implements Packetizer {
  packetize(payload: readonly Buffer[], maxPayloadSize: number): RtpPayload[] {
    const packets: RtpPayload[] = [];
    for (const frame of payload) {
      // 13 bits of size: what is longer cannot be said in AAC-hbr, and is no AAC frame (6144 bits a channel at most).
      if (frame.length === 0 || frame.length > 0x1fff) continue;
      const header = Buffer.from([0, 16, frame.length >> 5, (frame.length & 0x1f) << 3]);
      const room = maxPayloadSize - header.length;
      for (let at = 0; at < frame.length; at += room) {
        const end = Math.min(at + room, frame.length);
        const piece = end - at === frame.length ? frame : frame.subarray(at, end);
        packets.push({ parts: [header, piece], marker: end === frame.length, timestampOffset: 0 });
      }
    }
    return packets;
  }
}

/**
 * AAC from RTP in the older MP4A-LATM form (RFC 6416) with the configuration in the SDP (cpresent=0): each audio mux
 * element is a length (sum of bytes up to the first below 255) and a frame.
 */
export class LatmDepacketizer implements Depacketizer {
  dropped = 0;
  readonly #frameDuration: number;
  #fragments: Buffer[] = [];
  #bytes = 0;
  #damaged = false;

  constructor(frameDuration: number) {
    this.#frameDuration = frameDuration;
  }

  push(packet: DepacketizerInput): CodedFrame[] {
    if (packet.lost) this.#damaged = true;
    this.#bytes += packet.payload.length;
    if (this.#bytes > FRAME_LIMITS.bytes || this.#fragments.length >= FRAME_LIMITS.nals) this.#damaged = true;
    if (!this.#damaged) this.#fragments.push(packet.payload);
    if (!packet.marker) return [];
    const [only] = this.#fragments;
    const element = this.#fragments.length === 1 && only ? only : Buffer.concat(this.#fragments);
    const damaged = this.#damaged;
    this.#fragments = [];
    this.#bytes = 0;
    this.#damaged = false;
    if (damaged) {
      this.dropped++;
      return [];
    }
    const frames: CodedFrame[] = [];
    for (let at = 0; at < element.length; ) {
      let length = 0;
      let byte = 255;
      while (byte === 255 && at < element.length) {
        byte = element[at++] ?? 0;
        length += byte;
      }
      if (length === 0 || at + length > element.length) {
        this.dropped++;
        break;
      }
      const timestamp = (packet.timestamp + frames.length * this.#frameDuration) % 2 ** 32;
      frames.push({ timestamp, payload: [element.subarray(at, at + length)], keyframe: true });
      at += length;
    }
    return frames;
  }
}
