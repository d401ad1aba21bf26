import type { TagFraming } from '#containers/flv/writer.ts';
import { ChunkStreamId, MessageType, writeMessage } from '#protocols/rtmp/message.ts';

const CHUNK_STREAMS: Readonly<Record<number, number>> = {
  [MessageType.audio]: ChunkStreamId.audio,
  [MessageType.video]: ChunkStreamId.video,
};

/** Tags as messages of RTMP on a message stream, in chunks of the size that both sides of ours set. */
export function rtmpFraming(streamId: number): TagFraming {
  return (type, timestamp, payload) =>
    writeMessage({
      chunkStream: CHUNK_STREAMS[type] ?? ChunkStreamId.data,
      type,
      streamId,
      timestamp,
      payload,
    });
}
