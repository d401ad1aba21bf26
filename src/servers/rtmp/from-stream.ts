import type { TagFraming } from '#containers/flv/writer.ts';
import { ChunkStreamId, MessageType, writeMessage } from '#protocols/rtmp/message.ts';
import { MESSAGE_STREAM } from '#protocols/rtmp/server-session.ts';

const CHUNK_STREAMS: Readonly<Record<number, number>> = {
  [MessageType.audio]: ChunkStreamId.audio,
  [MessageType.video]: ChunkStreamId.video,
};

/** Tags as messages of RTMP, on the one message stream that every connection has. */
export const rtmpFraming: TagFraming = (type, timestamp, payload) =>
  writeMessage({
    chunkStream: CHUNK_STREAMS[type] ?? ChunkStreamId.data,
    type,
    streamId: MESSAGE_STREAM,
    timestamp,
    payload,
  });
