import { WebRtcFeedWriter } from '#feeds/webrtc/feed-writer.ts';
import type { Feed } from '#hub/feed.ts';
import { Reader, type ReaderLimits } from '#hub/reader.ts';
import type { Transport } from '#hub/transport.ts';
import type { Track } from '#media/track.ts';
import { isRtcp } from '#protocols/rtp/packet.ts';
import type { Clock } from '#util/clock.ts';
import type { OutgoingLine } from './outgoing-line.ts';

/** A track that is read, and the section it goes out in. */
export interface LineTrack {
  readonly track: Track;
  readonly line: OutgoingLine;
}

export interface ReadingOptions {
  readonly id: string;
  readonly remote: string;
  readonly feed: Feed;
  /** By the source that a track has in the feed. */
  readonly lines: ReadonlyMap<number, OutgoingLine>;
  readonly clock: Clock;
  readonly limits: ReaderLimits;
  /** Packets of all viewers, and under which number they go out. */
  readonly onPacket: (packet: Buffer, line: OutgoingLine, sequence: number) => void;
  /** A sender report of the feed. */
  readonly onReport: (report: Buffer, line: OutgoingLine) => void;
  /** The packets of one unit have been given out. */
  readonly onWritten: () => void;
  readonly backlog: () => number;
  /** It has what it needs to take the place of the one before. */
  readonly onReady: () => void;
  /** It has pictures, and not the right one to begin with; `isNewer`: they have come to where the viewer is. */
  readonly onWaiting: (isNewer: boolean) => void;
  /** The feed ended, or the viewer was too slow for it. */
  readonly onEnd: (reason: string) => void;
}

/**
 * One feed that a viewer reads. One that is to follow another is ready with a keyframe that is newer than what the viewer
 * has, or where the other stands if it has the same pictures, and gives nothing out before: the other goes on as long.
 */
export class Reading implements Transport {
  readonly feed: Feed;
  readonly reader: Reader;
  readonly #options: ReadingOptions;
  readonly #writer: WebRtcFeedWriter;
  readonly #pictures: OutgoingLine | undefined;
  #isReady = false;
  #holdsPictures = false;
  #isOver = false;
  #drained: () => void = () => {};

  constructor(options: ReadingOptions) {
    const { feed, id, remote, clock, limits } = options;
    if (!(feed.writer instanceof WebRtcFeedWriter)) throw new TypeError('This is no feed for WebRTC.');
    this.#options = options;
    this.#writer = feed.writer;
    this.feed = feed;
    this.#pictures = [...options.lines.values()].find(({ kind }) => kind === 'video');
    this.reader = new Reader({
      ...{ id, remote, clock, limits, transport: this },
      door: 'webrtc',
      onClose: (reason) => {
        if (this.#isOver) return;
        this.#isOver = true;
        this.feed.detach(this.reader);
        options.onEnd(reason);
      },
    });
  }

  /** Begins to read; what the feed keeps since the last keyframe comes at once. `follows`: something is read already. */
  start(follows: boolean): void {
    if (!follows || !this.#pictures) this.#becomeReady();
    this.feed.attach(this.reader);
  }

  get isReady(): boolean {
    return this.#isReady;
  }

  write(bytes: Buffer): void {
    for (const packet of this.#writer.packetsOf(bytes)) this.#give(packet);
    if (this.#isReady) this.#options.onWritten();
  }

  get backlog(): number {
    return this.#options.backlog();
  }

  onDrain(callback: () => void): void {
    this.#drained = callback;
  }

  /** What waited for the way out has left. */
  drained(): void {
    this.#drained();
  }

  /** The packet of a line that went out under this number, if it is among the latest. */
  sent(line: OutgoingLine, sequence: number): Buffer | undefined {
    const own = line.ownNumber(sequence);
    const source = [...this.#options.lines].find(([, is]) => is === line)?.[0];
    return own === undefined || source === undefined ? undefined : this.#writer.packet(source, own);
  }

  /** Gives the pictures since the last keyframe again; false where none are kept. */
  replay(): boolean {
    if (!this.#pictures || !this.#isReady) return false;
    this.#pictures.beginAnew();
    return this.feed.replay(this.reader);
  }

  /** The reader has ended, which `onEnd` tells: the connection is closed by who owns it. */
  close(): void {}

  /** Leaves pictures out from now on: another reading, which is not so far, is about to follow. */
  holdPictures(): void {
    this.#holdsPictures = true;
  }

  /** Nothing follows after all: pictures go on with the next keyframe. */
  resumePictures(): void {
    if (!this.#holdsPictures) return;
    this.#holdsPictures = false;
    this.#pictures?.interrupt();
  }

  /** Reads no more. Idempotent. */
  leave(reason: string): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.feed.detach(this.reader);
    this.reader.close(reason);
  }

  #give(packet: Buffer): void {
    const isReport = isRtcp(packet);
    const line = this.#options.lines.get(packet.readUInt32BE(isReport ? 4 : 8));
    if (!line || this.#isOver) return;
    if (!this.#isReady) {
      if (isReport || line !== this.#pictures) return;
      if (!line.wouldTake(packet, this.#writer) && !line.isLevel(packet)) {
        return this.#options.onWaiting(line.isNewer(packet));
      }
      this.#becomeReady();
    }
    if (this.#holdsPictures && line === this.#pictures) return;
    if (isReport) return this.#options.onReport(packet, line);
    const sequence = line.place(packet, this.#writer);
    if (sequence !== undefined) this.#options.onPacket(packet, line, sequence);
  }

  #becomeReady(): void {
    this.#isReady = true;
    this.#options.onReady();
  }
}
