import { randomUUID } from 'node:crypto';
import type { Feed } from '#hub/feed.ts';
import { Reader, type ReaderLimits } from '#hub/reader.ts';
import type { Transport } from '#hub/transport.ts';
import type { ForwardTarget } from './contract.ts';

export interface ForwardReaderOptions {
  readonly target: Pick<ForwardTarget, 'stream' | 'clock'>;
  readonly feed: Feed;
  /** The other server, without credentials. */
  readonly remote: string;
  /** The connection to it, which is the forward's: it ends with the attempt, not with the reader. */
  readonly out: Omit<Transport, 'close'>;
  readonly limits: ReaderLimits;
  /** It ended, for a reason of its own, of its stream, or by {@link ForwardReader.leave}. */
  readonly onClose: (reason: string) => void;
}

/** Takes a feed's bytes to another server: from a keyframe on, until the attempt is over. */
export class ForwardReader extends Reader {
  readonly #feed: Feed;
  readonly #target: ForwardReaderOptions['target'];

  constructor({ target, feed, remote, out, limits, onClose }: ForwardReaderOptions) {
    super({
      id: randomUUID(),
      door: 'forward',
      remote,
      transport: {
        write: (bytes) => out.write(bytes),
        get backlog() {
          return out.backlog;
        },
        onDrain: (callback) => out.onDrain(callback),
        close() {},
      },
      clock: target.clock,
      limits,
      startsAtKeyframe: true,
      onClose,
    });
    this.#feed = feed;
    this.#target = target;
  }

  /** From here on media flow; where the feed keeps no picture to begin with, its maker is asked for one. */
  join(): void {
    this.#feed.attach(this);
    if (this.counters.units === 0) this.#target.stream.requestKeyframe(this.#feed.tracks);
  }

  /** Idempotent. */
  leave(reason: string): void {
    this.#feed.detach(this);
    this.close(reason);
  }
}
