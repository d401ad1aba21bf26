import type { Clock } from '#util/clock.ts';
import {
  ahead,
  buildData,
  CHUNK,
  chunkSize,
  DATA_FLAG,
  DATA_HEADER,
  plus,
  type SctpChunk,
  type SctpSack,
} from './packet.ts';

export interface SctpOutboundOptions {
  readonly clock: Clock;
  /** Number of the first DATA. */
  readonly firstTsn: number;
  /** Bytes that the other side takes, before it says otherwise. */
  readonly window: number;
  /** Bytes of chunks that fit into a packet. */
  readonly packetSize: number;
  /** Chunks that go into one packet. */
  readonly send: (chunks: readonly SctpChunk[]) => void;
  /** Nothing is acknowledged any more. */
  readonly onFault: (reason: string) => void;
}

/** Retransmission time-out before anything was measured, and its bounds, ms: as browsers have them, not the RFC's 1 s. */
const RTO_MS = { first: 500, least: 400, most: 10_000 };
/** Time-outs on end after which the other side counts as gone. */
const MAX_TIMEOUTS = 8;
/** Reports that a number is missing after which it counts as lost (RFC 9260 section 7.2.4). */
const MISSES = 3;

interface Sent {
  readonly tsn: number;
  readonly chunk: SctpChunk;
  /** Bytes of payload. */
  readonly size: number;
  sentAt: number;
  tries: number;
  misses: number;
  /** Named by a gap: came, and may be taken back by nobody (what is said once holds). */
  acknowledged: boolean;
  /** Waits for being sent again; not in flight. */
  lost: boolean;
}

/** The sending half of an association: fragments, order, retransmission and congestion control (RFC 9260 sections 6, 7). */
export class SctpOutbound {
  readonly #options: SctpOutboundOptions;
  /** Fragments that were not sent yet. */
  #queue: Omit<Sent, 'sentAt' | 'tries' | 'misses' | 'acknowledged' | 'lost'>[] = [];
  #sent: Sent[] = [];
  #nextTsn: number;
  #cumulative: number;
  readonly #streamSequences = new Map<number, number>();
  #buffered = 0;
  #flight = 0;
  #window: number;
  #congestion: number;
  #threshold: number;
  #partlyAcknowledged = 0;
  /** While a loss is being made good: the last number that was sent when it was seen. */
  #recoveryExit: number | undefined;
  #rto = RTO_MS.first;
  #smoothed: number | undefined;
  #variation = 0;
  #timeouts = 0;
  #cancelTimer: (() => void) | undefined;
  #closed = false;

  constructor(options: SctpOutboundOptions) {
    this.#options = options;
    this.#nextTsn = options.firstTsn;
    this.#cumulative = plus(options.firstTsn, -1);
    this.#window = options.window;
    this.#threshold = options.window;
    const { packetSize } = options;
    this.#congestion = Math.min(4 * packetSize, Math.max(2 * packetSize, 4380));
  }

  /** Bytes that were given and are kept: not acknowledged, or before something that is not. */
  get buffered(): number {
    return this.#buffered;
  }

  /** Fragments that are kept. */
  get fragments(): number {
    return this.#queue.length + this.#sent.length;
  }

  /** Number of the last DATA that was made. */
  get lastTsn(): number {
    return plus(this.#nextTsn, -1);
  }

  /** Sends a message, in order behind those before it on its stream. An empty one is sent as one byte (RFC 8831 §6.6). */
  push(stream: number, protocol: number, payload: Buffer): void {
    if (this.#closed) return;
    const whole = payload.length > 0 ? payload : Buffer.alloc(1);
    const streamSequence = this.#streamSequences.get(stream) ?? 0;
    this.#streamSequences.set(stream, (streamSequence + 1) & 0xffff);
    const most = this.#options.packetSize - chunkSize(DATA_HEADER);
    for (let at = 0; at < whole.length; at += most) {
      const part = whole.subarray(at, at + most);
      const flags = (at === 0 ? DATA_FLAG.begin : 0) | (at + most >= whole.length ? DATA_FLAG.end : 0);
      const tsn = this.#nextTsn;
      this.#nextTsn = plus(tsn, 1);
      const body = buildData({ tsn, stream, streamSequence, protocol, payload: part });
      this.#queue.push({ tsn, chunk: { type: CHUNK.data, flags, body }, size: part.length });
      this.#buffered += part.length;
    }
    this.#transmit();
  }

  /** The stream begins anew with message 0 (RFC 6525). */
  resetStream(stream: number): void {
    this.#streamSequences.delete(stream);
  }

  acknowledge(sack: SctpSack): void {
    const { cumulative, window, gaps } = sack;
    if (this.#closed || ahead(cumulative, this.#cumulative) < 0 || ahead(cumulative, this.lastTsn) > 0)
      return;
    const advanced = ahead(cumulative, this.#cumulative) > 0;
    this.#cumulative = cumulative;
    this.#window = window;
    let newest: number | undefined;
    let bytes = 0;
    const now = this.#options.clock.now();
    for (const sent of this.#sent) {
      if (sent.acknowledged) continue;
      const distance = ahead(sent.tsn, cumulative);
      if (distance > 0 && !gaps.some(([start, end]) => distance >= start && distance <= end)) continue;
      sent.acknowledged = true;
      if (sent.lost) sent.lost = false;
      else this.#flight -= sent.size;
      bytes += sent.size;
      newest = sent.tsn;
      // What was sent twice says nothing about the way (Karn's rule).
      if (sent.tries === 1) this.#measure(now - sent.sentAt);
    }
    this.#sent = this.#sent.filter(({ tsn, acknowledged, size }) => {
      if (!acknowledged || ahead(tsn, cumulative) > 0) return true;
      this.#buffered -= size;
      return false;
    });
    if (this.#recoveryExit !== undefined && ahead(cumulative, this.#recoveryExit) >= 0) {
      this.#recoveryExit = undefined;
    }
    if (newest !== undefined) this.#missBefore(newest);
    if (advanced) {
      this.#timeouts = 0;
      this.#stopTimer();
      if (this.#recoveryExit === undefined) this.#grow(bytes);
    }
    this.#transmit();
  }

  /** Idempotent. */
  close(): void {
    this.#closed = true;
    this.#stopTimer();
    this.#queue = [];
    this.#sent = [];
    this.#buffered = 0;
  }

  /** What stands before a number that came, and did not come itself, may be lost. */
  #missBefore(newest: number): void {
    let isLost = false;
    for (const sent of this.#sent) {
      if (sent.acknowledged || sent.lost || ahead(sent.tsn, newest) >= 0) continue;
      if (++sent.misses !== MISSES) continue;
      this.#lose(sent);
      isLost = true;
    }
    if (!isLost || this.#recoveryExit !== undefined) return;
    this.#recoveryExit = this.#sent.at(-1)?.tsn;
    this.#threshold = Math.max(this.#congestion / 2, 4 * this.#options.packetSize);
    this.#congestion = this.#threshold;
    this.#partlyAcknowledged = 0;
  }

  #lose(sent: Sent): void {
    sent.lost = true;
    this.#flight -= sent.size;
  }

  #grow(bytes: number): void {
    const { packetSize } = this.#options;
    if (this.#congestion <= this.#threshold) {
      this.#congestion += Math.min(bytes, packetSize);
      return;
    }
    this.#partlyAcknowledged += bytes;
    if (this.#partlyAcknowledged < this.#congestion) return;
    this.#partlyAcknowledged -= this.#congestion;
    this.#congestion += packetSize;
  }

  /** RFC 9260 section 6.3.1. */
  #measure(ms: number): void {
    if (this.#smoothed === undefined) {
      this.#smoothed = ms;
      this.#variation = ms / 2;
    } else {
      this.#variation += (Math.abs(this.#smoothed - ms) - this.#variation) / 4;
      this.#smoothed += (ms - this.#smoothed) / 8;
    }
    this.#rto = Math.min(Math.max(this.#smoothed + 4 * this.#variation, RTO_MS.least), RTO_MS.most);
  }

  #transmit(): void {
    let chunks: SctpChunk[] = [];
    let room = this.#options.packetSize;
    const flush = () => {
      if (chunks.length > 0) this.#options.send(chunks);
      chunks = [];
      room = this.#options.packetSize;
    };
    for (let sent = this.#next(); sent; sent = this.#next()) {
      const size = chunkSize(sent.chunk.body.length);
      if (size > room) flush();
      chunks.push(sent.chunk);
      room -= size;
    }
    flush();
    if (this.#sent.some(({ acknowledged }) => !acknowledged)) this.#startTimer();
    else this.#stopTimer();
  }

  /** What may go out next: first what was lost. It counts as sent. */
  #next(): Sent | undefined {
    const again = this.#sent.find(({ lost }) => lost);
    const size = again?.size ?? this.#queue[0]?.size;
    // One may always be under way, or a window that is closed would never be seen to open.
    if (size === undefined || (this.#flight > 0 && !this.#fits(size))) return undefined;
    const fresh = again ? undefined : this.#queue.shift();
    const sent = again ?? (fresh && { ...fresh, ...NEW });
    if (!sent) return undefined;
    if (fresh) this.#sent.push(sent);
    sent.lost = false;
    sent.misses = 0;
    sent.tries++;
    sent.sentAt = this.#options.clock.now();
    this.#flight += size;
    return sent;
  }

  #fits(size: number): boolean {
    return this.#flight + size <= Math.min(this.#congestion, this.#window);
  }

  #startTimer(): void {
    this.#cancelTimer ??= this.#options.clock.after(this.#rto, () => this.#timeout());
  }

  #stopTimer(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
  }

  #timeout(): void {
    this.#cancelTimer = undefined;
    if (++this.#timeouts > MAX_TIMEOUTS) {
      this.close();
      return this.#options.onFault('The other side acknowledges nothing any more.');
    }
    const { packetSize } = this.#options;
    this.#rto = Math.min(this.#rto * 2, RTO_MS.most);
    this.#threshold = Math.max(this.#congestion / 2, 4 * packetSize);
    this.#congestion = packetSize;
    this.#recoveryExit = undefined;
    for (const sent of this.#sent) if (!sent.acknowledged && !sent.lost) this.#lose(sent);
    this.#transmit();
  }
}

const NEW = { sentAt: 0, tries: 0, misses: 0, acknowledged: false, lost: false };
