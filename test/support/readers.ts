import type { Chunk, FeedWriter } from '#hub/feed.ts';
import { Reader, type ReaderLimits } from '#hub/reader.ts';
import type { Transport } from '#hub/transport.ts';
import type { AccessUnit } from '#media/access-unit.ts';
import { type Clock, VirtualClock } from '#util/clock.ts';

/** A socket made of memory: it takes bytes while `open`, else they stay in its backlog until `flush`. */
export class FakeTransport implements Transport {
  open = true;
  backlog = 0;
  readonly written: Buffer[] = [];
  closedBecause: string | undefined;
  #drain: () => void = () => {};

  write(bytes: Buffer): void {
    this.written.push(bytes);
    if (!this.open) this.backlog += bytes.length;
  }

  onDrain(callback: () => void): void {
    this.#drain = callback;
  }

  close(reason: string): void {
    this.closedBecause = reason;
  }

  /** The other side takes everything that waits. */
  flush(): void {
    this.backlog = 0;
    this.#drain();
  }
}

/** A wire format that anyone can read: one chunk per unit, `v12K` = picture 12, a keyframe. */
export class TextWriter implements FeedWriter {
  made = 0;
  closed = false;
  greeting?: () => readonly Buffer[];

  write(unit: AccessUnit, emit: (chunk: Chunk) => void): void {
    this.made++;
    const kind = unit.track.format.kind;
    const position = kind === 'video' ? unit.pts / 3600 : unit.pts / 1024;
    const label = `${kind[0]}${position}${kind === 'video' && unit.keyframe ? 'K' : ''}`;
    // As long as the unit, so that byte budgets mean something.
    const bytes = Buffer.alloc(Math.max(unit.payload[0]!.length, label.length), ' ');
    bytes.write(label);
    emit({ bytes, track: unit.track.id, kind, keyframe: unit.keyframe });
  }

  close(): void {
    this.closed = true;
  }
}

export function fakeReader(
  options: {
    clock?: Clock;
    limits?: ReaderLimits;
    startsAtKeyframe?: boolean;
    onClose?: (reason: string) => void;
  } = {},
) {
  const transport = new FakeTransport();
  const reader = new Reader({
    id: 'r',
    door: 'test',
    remote: 'test',
    transport,
    clock: options.clock ?? new VirtualClock(),
    ...(options.limits ? { limits: options.limits } : {}),
    startsAtKeyframe: options.startsAtKeyframe ?? false,
    onClose: options.onClose ?? (() => {}),
  });
  return { reader, transport, seen: () => transport.written.map((bytes) => bytes.toString().trim()) };
}
