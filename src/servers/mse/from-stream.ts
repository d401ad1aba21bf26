import { Fmp4Writer } from '#containers/fmp4/writer.ts';
import type { Chunk, FeedWriter } from '#hub/feed.ts';
import type { AccessUnit } from '#media/access-unit.ts';
import type { Track } from '#media/track.ts';
import { frameHeaderSize, textFrame, writeBinaryHeader } from '#util/websocket-frame.ts';
import { streamMessage, type UnsupportedTrack } from './messages.ts';

const binaryMessage = { headerSize: frameHeaderSize, writeHeader: writeBinaryHeader };

/**
 * Writes a stream as messages of a WebSocket: each chunk is one or two complete frames, made once for all pages. Before
 * every init segment, in the same chunk, stands the text message that describes it, so neither comes without the other.
 */
export class MseFeedWriter implements FeedWriter {
  readonly #writer: Fmp4Writer;

  /** @param unsupported tracks of the stream that are left out, for the page to tell */
  constructor(stream: string, tracks: readonly Track[], unsupported: readonly UnsupportedTrack[]) {
    this.#writer = new Fmp4Writer(tracks, {
      envelope: binaryMessage,
      config: (init, described) => {
        const text = textFrame(JSON.stringify(streamMessage(stream, described, unsupported)));
        const header = Buffer.alloc(frameHeaderSize(init.length));
        writeBinaryHeader(header, init.length);
        return Buffer.concat([text, header, init]);
      },
    });
  }

  write(unit: AccessUnit, emit: (chunk: Chunk) => void): void {
    this.#writer.write(unit, emit);
  }
}
