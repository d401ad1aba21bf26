import { parseVp9Frame } from '../vp9.ts';
import type { CodedFrame, Depacketizer, DepacketizerInput, Packetizer, RtpPayload } from './contract.ts';
import { FrameAssembler, joined } from './frame-assembler.ts';

/** First byte of the payload descriptor (RFC 9628 section 4.2). */
const PICTURE_ID = 0x80;
const INTER_PREDICTED = 0x40;
const LAYERS = 0x20;
const FLEXIBLE = 0x10;
const FRAME_START = 0x08;
const FRAME_END = 0x04;
const SCALABILITY = 0x02;
/** Most reference distances in a packet of the flexible mode. */
const MOST_REFERENCES = 3;

interface Descriptor {
  readonly length: number;
  readonly isStart: boolean;
  readonly spatialLayer: number;
}

/**
 * VP9 from RTP (RFC 9628), in flexible and in non-flexible mode. Of a stream with several spatial layers the lowest is
 * taken, which can be decoded without the others.
 */
export class Vp9Depacketizer implements Depacketizer {
  readonly #frame = new FrameAssembler((parts) => {
    const frame = joined(parts);
    return { payload: [frame], keyframe: parseVp9Frame(frame)?.keyframe === true };
  });

  get dropped(): number {
    return this.#frame.dropped;
  }

  push(packet: DepacketizerInput): CodedFrame[] {
    return this.#frame.push(packet, (payload) => {
      if (payload.length === 0) return;
      const descriptor = readDescriptor(payload);
      if (!descriptor) return this.#frame.damage();
      if (descriptor.spatialLayer > 0) return;
      // Each picture begins with B, and nothing else in it does.
      if (descriptor.isStart !== this.#frame.isEmpty) this.#frame.damage();
      this.#frame.add(payload.subarray(descriptor.length));
    });
  }
}

/** Undefined where it is broken, or nothing stands behind it. */
function readDescriptor(payload: Buffer): Descriptor | undefined {
  const first = payload[0] ?? 0;
  let at = 1;
  if ((first & PICTURE_ID) !== 0) at += ((payload[at] ?? 0) & 0x80) !== 0 ? 2 : 1;
  let spatialLayer = 0;
  if ((first & LAYERS) !== 0) {
    spatialLayer = ((payload[at] ?? 0) >> 1) & 7;
    // Non-flexible mode adds TL0PICIDX.
    at += (first & FLEXIBLE) !== 0 ? 1 : 2;
  }
  if ((first & FLEXIBLE) !== 0 && (first & INTER_PREDICTED) !== 0) {
    for (let i = 0; i < MOST_REFERENCES; i++) if (((payload[at++] ?? 0) & 1) === 0) break;
  }
  if ((first & SCALABILITY) !== 0) at = skipScalability(payload, at);
  return at < payload.length ? { length: at, isStart: (first & FRAME_START) !== 0, spatialLayer } : undefined;
}

/** Skips the scalability structure: sizes of the layers, and a description of a group of pictures. */
function skipScalability(payload: Buffer, from: number): number {
  let at = from;
  const header = payload[at++] ?? 0;
  const hasSizes = (header & 0x10) !== 0;
  const hasGroup = (header & 0x08) !== 0;
  if (hasSizes) at += 4 * ((header >> 5) + 1);
  if (!hasGroup) return at;
  const pictures = payload[at++] ?? 0;
  for (let i = 0; i < pictures && at < payload.length; i++) at += 1 + (((payload[at] ?? 0) >> 2) & 3);
  return at;
}

/** VP9 to RTP, non-flexible mode, one layer; keyframes say their size. */
export class Vp9Packetizer implements Packetizer {
  #pictureId = 0;

  packetize(payload: readonly Buffer[], maxPayloadSize: number): RtpPayload[] {
    const frame = joined(payload);
    if (frame.length === 0) return [];
    const id = [0x80 | (this.#pictureId >> 8), this.#pictureId & 0xff];
    this.#pictureId = (this.#pictureId + 1) & 0x7fff;
    const info = parseVp9Frame(frame);
    const flags = PICTURE_ID | (info?.keyframe === true ? 0 : INTER_PREDICTED);
    const structure = info?.sequence ? scalability(info.sequence.width, info.sequence.height) : undefined;
    const packets: RtpPayload[] = [];
    for (let at = 0; at < frame.length; ) {
      const front = at === 0 ? structure : undefined;
      const room = Math.max(maxPayloadSize - 3 - (front?.length ?? 0), 1);
      const end = Math.min(at + room, frame.length);
      const isLast = end === frame.length;
      const first =
        flags | (at === 0 ? FRAME_START : 0) | (isLast ? FRAME_END : 0) | (front ? SCALABILITY : 0);
      const descriptor = Buffer.from([first, ...id, ...(front ?? [])]);
      packets.push({ parts: [descriptor, frame.subarray(at, end)], marker: isLast, timestampOffset: 0 });
      at = end;
    }
    return packets;
  }
}

/** One spatial layer of this size, no group of pictures. */
function scalability(width: number, height: number): number[] {
  return [0x10, width >> 8, width & 0xff, height >> 8, height & 0xff];
}
