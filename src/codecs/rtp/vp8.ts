import { parseVp8Frame } from '../vp8.ts';
import type { CodedFrame, Depacketizer, DepacketizerInput, Packetizer, RtpPayload } from './contract.ts';
import { FrameAssembler, joined } from './frame-assembler.ts';

/** First byte of the payload descriptor (RFC 7741 section 4.2). */
const EXTENDED = 0x80;
const PARTITION_START = 0x10;
const PARTITION = 0x0f;
/** Second byte. */
const PICTURE_ID = 0x80;
const TEMPORAL_INDEX = 0x40;
const LAYER = 0x20;
const KEY_INDEX = 0x10;

/** VP8 from RTP (RFC 7741). */
export class Vp8Depacketizer implements Depacketizer {
  readonly #frame = new FrameAssembler((parts) => {
    const frame = joined(parts);
    return { payload: [frame], keyframe: parseVp8Frame(frame)?.keyframe === true };
  });

  get dropped(): number {
    return this.#frame.dropped;
  }

  push(packet: DepacketizerInput): CodedFrame[] {
    return this.#frame.push(packet, (payload) => {
      if (payload.length === 0) return;
      const length = descriptorLength(payload);
      if (length >= payload.length) return this.#frame.damage();
      // A picture begins with the beginning of its first partition. Later partitions begin too, and some senders count
      // none of them; what is lost shows in the sequence numbers.
      const isStart = ((payload[0] ?? 0) & (PARTITION_START | PARTITION)) === PARTITION_START;
      if (this.#frame.isEmpty && !isStart) this.#frame.damage();
      this.#frame.add(payload.subarray(length));
    });
  }
}

function descriptorLength(payload: Buffer): number {
  if (((payload[0] ?? 0) & EXTENDED) === 0) return 1;
  const flags = payload[1] ?? 0;
  let length = 2;
  if ((flags & PICTURE_ID) !== 0) length += ((payload[length] ?? 0) & 0x80) !== 0 ? 2 : 1;
  if ((flags & TEMPORAL_INDEX) !== 0) length++;
  if ((flags & (LAYER | KEY_INDEX)) !== 0) length++;
  return length;
}

/** VP8 to RTP: the frame in pieces, whatever its partitions, with a picture id of 15 bits. */
export class Vp8Packetizer implements Packetizer {
  #pictureId = 0;

  packetize(payload: readonly Buffer[], maxPayloadSize: number): RtpPayload[] {
    const frame = joined(payload);
    const id = [0x80 | (this.#pictureId >> 8), this.#pictureId & 0xff];
    if (frame.length > 0) this.#pictureId = (this.#pictureId + 1) & 0x7fff;
    const room = Math.max(maxPayloadSize - 4, 1);
    const packets: RtpPayload[] = [];
    for (let at = 0; at < frame.length; at += room) {
      const end = Math.min(at + room, frame.length);
      const descriptor = Buffer.from([EXTENDED | (at === 0 ? PARTITION_START : 0), PICTURE_ID, ...id]);
      const parts = [descriptor, frame.subarray(at, end)];
      packets.push({ parts, marker: end === frame.length, timestampOffset: 0 });
    }
    return packets;
  }
}
