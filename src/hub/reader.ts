import type { Clock } from '#util/clock.ts';
import type { Chunk } from './chunk.ts';
import type { Transport } from './transport.ts';

export type { Transport } from './transport.ts';

export interface ReaderLimits {
  /** Longest time that something may wait for a reader, in milliseconds. */
  readonly queueMs: number;
  /** Most bytes that may wait for a reader, the socket's own buffer included. */
  readonly queueBytes: number;
  /** A reader that takes nothing for so many milliseconds while something waits is closed. */
  readonly stallMs: number;
}

export const defaultReaderLimits: ReaderLimits = { queueMs: 2000, queueBytes: 8 << 20, stallMs: 10_000 };

export interface ReaderCounters {
  units: number;
  bytes: number;
  droppedVideo: number;
  droppedAudio: number;
  /** How often video was dropped up to a keyframe. */
  skips: number;
}

/** Bytes handed to the socket before its own queue is used: enough for a picture, little enough to stay droppable. */
const SOCKET_WINDOW = 256 << 10;

/**
 * One reader's bounded queue (R4). While the socket keeps up, a chunk goes straight to it: one write of a shared
 * Buffer. Behind a full socket chunks wait here, where they can still be dropped: over the budget the reader loses
 * video up to the next keyframe and keeps its audio, and the loss is counted.
 */
export class Reader {
  readonly id: string;
  readonly door: string;
  /** Address of the other side, for people. */
  readonly remote: string;
  readonly since: number;
  readonly counters: ReaderCounters = { units: 0, bytes: 0, droppedVideo: 0, droppedAudio: 0, skips: 0 };
  /** Packets that were lost on the way to it, where it tells us (RTCP receiver reports). */
  lost: number | undefined;
  /** Called when video had to be dropped, so that the publisher can be asked for a keyframe. */
  onSkip: (() => void) | undefined;
  readonly #transport: Transport;
  readonly #limits: ReaderLimits;
  readonly #clock: Clock;
  readonly #onClose: (reason: string) => void;
  #queue: { chunk: Chunk; at: number }[] = [];
  #queuedBytes = 0;
  /** `start`: it has not begun yet, so what it does not get is no loss. */
  #waitsForKeyframe: false | 'start' | 'skip';
  /** Bytes that the socket had passed on when it last moved, and since when it has not moved while something waits. */
  #taken = Number.NEGATIVE_INFINITY;
  #stuckSince: number | undefined;
  #closed = false;

  constructor(options: {
    id: string;
    door: string;
    remote: string;
    transport: Transport;
    clock: Clock;
    limits?: ReaderLimits;
    /** It gets no picture before its first keyframe, also where the stream keeps none. */
    startsAtKeyframe?: boolean;
    /** Called once when the reader ends for a reason of its own or of its stream. */
    onClose: (reason: string) => void;
  }) {
    this.id = options.id;
    this.door = options.door;
    this.remote = options.remote;
    this.#transport = options.transport;
    this.#clock = options.clock;
    this.#limits = options.limits ?? defaultReaderLimits;
    this.#onClose = options.onClose;
    this.since = options.clock.now();
    this.#waitsForKeyframe = options.startsAtKeyframe === true ? 'start' : false;
    this.#transport.onDrain(() => this.#pump());
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Bytes that wait, here and in the socket. */
  get queuedBytes(): number {
    return this.#queuedBytes + this.#transport.backlog;
  }

  offer(chunk: Chunk): void {
    if (this.#closed || this.#isStuck()) return;
    if (this.#waitsForKeyframe && chunk.kind === 'video') {
      if (!chunk.keyframe || this.#transport.backlog >= SOCKET_WINDOW) {
        if (this.#waitsForKeyframe === 'skip') this.counters.droppedVideo++;
        return;
      }
      this.#waitsForKeyframe = false;
    }
    if (this.#queue.length === 0 && this.#transport.backlog < SOCKET_WINDOW) {
      this.#send(chunk);
      return;
    }
    const now = this.#clock.now();
    this.#queue.push({ chunk, at: now });
    this.#queuedBytes += chunk.bytes.length;
    this.#keepBudget(now);
  }

  /** Chunks that belong together, and their bytes in one Buffer: one write where the socket keeps up. */
  offerTogether(chunks: readonly Chunk[], bytes: Buffer): void {
    if (this.#closed || this.#isStuck()) return;
    if (this.#waitsForKeyframe || this.#queue.length > 0 || this.#transport.backlog >= SOCKET_WINDOW) {
      for (const chunk of chunks) this.offer(chunk);
      return;
    }
    this.#transport.write(bytes);
    this.counters.units += chunks.length;
    this.counters.bytes += bytes.length;
  }

  /** Forgets what waits, for a reader that pauses; it begins anew with the next keyframe it is offered. */
  reset(): void {
    this.#queue = [];
    this.#queuedBytes = 0;
    this.#waitsForKeyframe = false;
  }

  close(reason: string): void {
    if (this.#closed) return;
    this.#closed = true;
    this.reset();
    this.#transport.close(reason);
    this.#onClose(reason);
  }

  #send(chunk: Chunk): void {
    this.#transport.write(chunk.bytes);
    this.counters.units++;
    this.counters.bytes += chunk.bytes.length;
  }

  #pump(): void {
    if (this.#closed) return;
    let sent = 0;
    while (sent < this.#queue.length && this.#transport.backlog < SOCKET_WINDOW) {
      const { chunk } = this.#queue[sent++]!;
      this.#queuedBytes -= chunk.bytes.length;
      this.#send(chunk);
    }
    if (sent > 0) this.#queue.splice(0, sent);
  }

  /** Closes a reader for which something waits and whose socket has passed nothing on for too long. */
  #isStuck(): boolean {
    const { backlog } = this.#transport;
    if (backlog === 0) {
      this.#stuckSince = undefined;
      return false;
    }
    const now = this.#clock.now();
    const taken = this.counters.bytes - backlog;
    if (this.#stuckSince === undefined || taken > this.#taken) this.#stuckSince = now;
    this.#taken = taken;
    const stuckMs = now - this.#stuckSince;
    if (stuckMs <= this.#limits.stallMs) return false;
    this.close(`The reader took nothing for ${Math.round(stuckMs / 1000)} s.`);
    return true;
  }

  #keepBudget(now: number): void {
    const oldest = this.#queue.find(({ chunk }) => chunk.kind === 'video')?.at ?? now;
    if (this.queuedBytes > this.#limits.queueBytes || now - oldest > this.#limits.queueMs) this.#shed();
  }

  /** Drops waiting video before the newest keyframe, or all of it when no keyframe waits or that is not enough. */
  #shed(): void {
    this.counters.skips++;
    const newestKeyframe = this.#queue.findLastIndex(({ chunk }) => chunk.kind === 'video' && chunk.keyframe);
    if (newestKeyframe > 0) this.#dropVideoBefore(newestKeyframe);
    else this.#dropAllVideo();
    if (this.queuedBytes > this.#limits.queueBytes) this.#dropAllVideo();
    this.#dropOldAudio();
    this.onSkip?.();
  }

  #dropVideoBefore(index: number): void {
    const had = this.counters.droppedVideo;
    this.#keep(({ kind }, i) => kind !== 'video' || i >= index);
    // Only the keyframe itself was waiting at the front: nothing was gained, so it has to go as well.
    if (this.counters.droppedVideo === had) this.#dropAllVideo();
  }

  #dropAllVideo(): void {
    this.#keep(({ kind }) => kind !== 'video');
    this.#waitsForKeyframe = 'skip';
  }

  /** Audio is kept as long as memory allows. */
  #dropOldAudio(): void {
    while (this.queuedBytes > this.#limits.queueBytes) {
      const index = this.#queue.findIndex(({ chunk }) => chunk.kind === 'audio' || chunk.kind === 'data');
      if (index < 0) return;
      this.#queuedBytes -= this.#queue[index]!.chunk.bytes.length;
      this.#queue.splice(index, 1);
      this.counters.droppedAudio++;
    }
  }

  #keep(wanted: (chunk: Chunk, index: number) => boolean): void {
    const kept = this.#queue.filter(({ chunk }, index) => wanted(chunk, index));
    this.counters.droppedVideo += this.#queue.length - kept.length;
    this.#queue = kept;
    this.#queuedBytes = kept.reduce((sum, { chunk }) => sum + chunk.bytes.length, 0);
  }
}
