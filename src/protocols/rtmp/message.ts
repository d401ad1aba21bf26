import type { AmfValue } from '#util/amf-value.ts';
import { writeAmf0 } from '#util/amf0.ts';

/** Message type ids (Adobe, "RTMP Specification 1.0", sections 5.4 and 7.1), those we look at. */
export const MessageType = {
  setChunkSize: 1,
  abort: 2,
  acknowledgement: 3,
  userControl: 4,
  windowSize: 5,
  peerBandwidth: 6,
  audio: 8,
  video: 9,
  dataAmf3: 15,
  commandAmf3: 17,
  data: 18,
  command: 20,
  aggregate: 22,
} as const;

/** Types of user control messages (section 7.1.7). */
export const UserControl = {
  streamBegin: 0,
  streamEof: 1,
  bufferLength: 3,
  pingRequest: 6,
  pingResponse: 7,
} as const;

/** One message, put together from its chunks. */
export interface RtmpMessage {
  readonly type: number;
  /** Message stream: 0 is the connection itself. */
  readonly streamId: number;
  /** Milliseconds modulo 2^32. */
  readonly timestamp: number;
  readonly payload: Buffer;
}

/** Chunk streams on which we send; the numbers are those that servers and encoders use. */
export const ChunkStreamId = { control: 2, command: 3, audio: 4, data: 5, video: 6 } as const;

/** Size of the chunks that both sides begin with (section 5.4.1). */
export const FIRST_CHUNK_SIZE = 128;
/** Size of the chunks that we send as soon as it may be set: most messages are one chunk. */
export const SENT_CHUNK_SIZE = 65_536;

const EXTENDED = 0xffffff;

/** A message whose payload may lie in several places. */
export interface OutgoingMessage {
  readonly chunkStream: number;
  readonly type: number;
  readonly streamId: number;
  /** Milliseconds; written modulo 2^32. */
  readonly timestamp: number;
  readonly payload: readonly Buffer[];
}

/**
 * Writes a message as chunks: the first has a whole header, which needs no state on the way, so that the same bytes go
 * to everybody whatever was dropped for some of them.
 */
export function writeMessage(message: OutgoingMessage, chunkSize = SENT_CHUNK_SIZE): Buffer {
  const { chunkStream, type, streamId, payload } = message;
  const timestamp = message.timestamp % 2 ** 32;
  let length = 0;
  for (const part of payload) length += part.length;
  const extension = timestamp >= EXTENDED ? 4 : 0;
  const chunks = Math.max(1, Math.ceil(length / chunkSize));
  const bytes = Buffer.allocUnsafe(12 + extension + (chunks - 1) * (1 + extension) + length);
  bytes[0] = chunkStream;
  bytes.writeUIntBE(Math.min(timestamp, EXTENDED), 1, 3);
  bytes.writeUIntBE(length, 4, 3);
  bytes[7] = type;
  bytes.writeUInt32LE(streamId, 8);
  let at = 12;
  if (extension) at = bytes.writeUInt32BE(timestamp, at);
  let room = chunkSize;
  for (const part of payload) {
    for (let from = 0; from < part.length; ) {
      if (room === 0) {
        bytes[at++] = 0xc0 | chunkStream;
        if (extension) at = bytes.writeUInt32BE(timestamp, at);
        room = chunkSize;
      }
      const copied = part.copy(bytes, at, from, from + room);
      at += copied;
      from += copied;
      room -= copied;
    }
  }
  return bytes;
}

/** A protocol control message with one number, on the connection itself. */
export function controlMessage(type: number, value: number, ...more: readonly number[]): Buffer {
  const payload = Buffer.alloc(4 + more.length);
  payload.writeUInt32BE(value % 2 ** 32);
  more.forEach((byte, i) => (payload[4 + i] = byte));
  return writeMessage({
    chunkStream: ChunkStreamId.control,
    type,
    streamId: 0,
    timestamp: 0,
    payload: [payload],
  });
}

export function userControlMessage(event: number, ...values: readonly number[]): Buffer {
  const payload = Buffer.alloc(2 + 4 * values.length);
  payload.writeUInt16BE(event);
  values.forEach((value, i) => payload.writeUInt32BE(value, 2 + 4 * i));
  return writeMessage({
    chunkStream: ChunkStreamId.control,
    type: MessageType.userControl,
    streamId: 0,
    timestamp: 0,
    payload: [payload],
  });
}

/** A command of AMF 0: its name, its transaction, and what belongs to it. */
export function commandMessage(streamId: number, ...values: readonly AmfValue[]): Buffer {
  return writeCommand(streamId, values, SENT_CHUNK_SIZE);
}

/** The same in chunks of another size. */
export function writeCommand(streamId: number, values: readonly AmfValue[], chunkSize: number): Buffer {
  const message = {
    chunkStream: ChunkStreamId.command,
    type: MessageType.command,
    streamId,
    timestamp: 0,
    payload: [writeAmf0(...values)],
  };
  return writeMessage(message, chunkSize);
}
