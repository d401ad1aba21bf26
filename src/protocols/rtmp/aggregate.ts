import type { RtmpMessage } from './message.ts';
import { MessageType } from './message.ts';

/** In front of each message in an aggregate: as an FLV tag has it (section 7.1.6). */
const HEADER = 11;
/** Behind each: its size. */
const TRAILER = 4;

/**
 * The audio, video and data messages of an aggregate (Adobe, "RTMP Specification 1.0", section 7.1.6). The timestamps in
 * it count from that of the first, which stands for the timestamp of the whole. A broken rest is left out.
 */
export function splitAggregate({ payload, timestamp, streamId }: RtmpMessage): RtmpMessage[] {
  const messages: RtmpMessage[] = [];
  let first: number | undefined;
  for (let at = 0; at + HEADER <= payload.length; ) {
    const type = payload[at]!;
    const size = payload.readUIntBE(at + 1, 3);
    const time = payload.readUIntBE(at + 4, 3) + payload[at + 7]! * 2 ** 24;
    const end = at + HEADER + size;
    if (end > payload.length) break;
    first ??= time;
    if (type === MessageType.audio || type === MessageType.video || type === MessageType.data) {
      messages.push({
        type,
        streamId,
        timestamp: (((timestamp + time - first) % 2 ** 32) + 2 ** 32) % 2 ** 32,
        payload: payload.subarray(at + HEADER, end),
      });
    }
    at = end + TRAILER;
  }
  return messages;
}
