import { SegmentWriter } from '#containers/fmp4/segment-writer.ts';
import type { Feed, FeedWriter } from '#hub/feed.ts';
import { Reader } from '#hub/reader.ts';
import type { Stream } from '#hub/stream.ts';
import type { Track } from '#media/track.ts';
import type { Clock } from '#util/clock.ts';
import type { SegmentList } from './segments.ts';
import type { HlsSettings } from './settings.ts';

/** Whatever comes is kept in the list of segments: nothing ever waits for this reader. */
const NOWHERE = { write() {}, backlog: 0, onDrain() {}, close() {} };

export interface ReadingOptions {
  readonly stream: Stream;
  /** At most one of video and one of audio. */
  readonly tracks: readonly Track[];
  readonly list: SegmentList;
  readonly settings: HlsSettings;
  readonly clock: Clock;
  /** The stream closed its reader. */
  readonly onClose: (reason: string) => void;
}

/** One muxer's hold on the tracks of a stream: the hub's reader, whose bytes all players share. */
export class Reading {
  readonly #feed: Feed;
  readonly #reader: Reader;
  readonly #writer: SegmentWriter;
  #left = false;

  constructor({ stream, tracks, list, settings, clock, onClose }: ReadingOptions) {
    let emit: Parameters<FeedWriter['write']>[1] = () => {};
    const limits = {
      partSeconds: settings.partMs / 1000,
      segmentSeconds: settings.segmentSeconds,
      segmentMaxBytes: settings.segmentMaxBytes,
    };
    const writer = new SegmentWriter(tracks, limits, {
      begin: (start) => list.begin(start),
      part: (part) => {
        list.part(part);
        emit({ bytes: part.bytes, track: -1, kind: 'data', keyframe: true });
      },
      end: () => list.end(),
    });
    this.#writer = writer;
    this.#reader = new Reader({
      id: `hls-${stream.name}`,
      door: 'hls',
      remote: '',
      transport: NOWHERE,
      clock,
      onClose: (reason) => {
        if (!this.#left) onClose(reason);
      },
    });
    const ids = tracks.map(({ id }) => id);
    this.#feed = stream.feed(['hls', ...ids].join(' '), ids, () => ({
      write: (unit, give) => {
        emit = give;
        writer.write(unit);
      },
    }));
    this.#feed.attach(this.#reader);
  }

  /** The publisher is gone: what it sent is complete. */
  interrupt(): void {
    this.#writer.interrupt();
  }

  /** Idempotent. */
  leave(): void {
    if (this.#left) return;
    this.#left = true;
    this.#writer.interrupt();
    this.#feed.detach(this.#reader);
  }
}
