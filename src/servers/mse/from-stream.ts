import { unsupportedReason } from '#containers/fmp4/sample-entry.ts';
import { Fmp4Writer } from '#containers/fmp4/writer.ts';
import type { Chunk, FeedWriter } from '#hub/feed.ts';
import type { AccessUnit } from '#media/access-unit.ts';
import { isAudio, isVideo, type Track } from '#media/track.ts';
import { frameHeaderSize, textFrame, writeBinaryHeader } from '#util/websocket-frame.ts';
import { streamMessage, type UnsupportedTrack } from './messages.ts';

const binaryMessage = { headerSize: frameHeaderSize, writeHeader: writeBinaryHeader };

/** What of a stream goes to a page: its first video and its first audio track. */
export interface Selection {
  /** Tracks that are written as they are. */
  readonly tracks: readonly Track[];
  /** Sound that has to be made AAC first. */
  readonly convert: Track | undefined;
  readonly unsupported: readonly UnsupportedTrack[];
}

export function selectTracks(tracks: readonly Track[]): Selection {
  const direct: Track[] = [];
  const unsupported: UnsupportedTrack[] = [];
  let convert: Track | undefined;
  for (const track of [tracks.find(isVideo), tracks.find(isAudio)]) {
    if (!track) continue;
    const { codec } = track.format;
    const reason = codec === 'pcma' || codec === 'pcmu' ? undefined : reasonAgainst(track);
    if (reason) unsupported.push(unsupportedTrack(track, reason));
    else if (codec === 'pcma' || codec === 'pcmu') convert = track;
    else direct.push(track);
  }
  return { tracks: direct, convert, unsupported };
}

export function unsupportedTrack(track: Track, reason: string): UnsupportedTrack {
  return { kind: track.format.kind, codec: track.format.codec, reason };
}

function reasonAgainst(track: Track): string | undefined {
  if (track.format.kind === 'audio' && track.format.codec === 'aac' && track.format.config.length === 0) {
    return 'The publisher has not said how its AAC is coded (no AudioSpecificConfig in its description).';
  }
  return unsupportedReason(track);
}

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
