import { Reader } from '#hub/reader.ts';
import type { Stream } from '#hub/stream.ts';
import { type AccessUnit, payloadSize } from '#media/access-unit.ts';
import type { Clock } from '#util/clock.ts';

/** How far back the rates look. */
const WINDOW_MS = 5000;
const SAMPLE_MS = 500;

/** What went through. Media time in ms. */
interface Totals {
  readonly mediaMs: number;
  readonly pictures: number;
  readonly bytes: number;
}

/** What went through a stream, and how fast it does now. */
export interface Flow {
  /** Media that went through since it began, ms. */
  readonly timeMs: number;
  /** Media time per time, over the last seconds; 1 is real time. */
  readonly speed: number;
  /** Pictures per second, over the last seconds. */
  readonly fps: number;
  /** Bits per second, over the last seconds. */
  readonly bitRate: number;
}

/** Measures what flows: by the times of the picture, of the sound where there is none. */
export class FlowMeter {
  /** Of the last seconds, oldest first. */
  #samples: (Totals & { readonly at: number })[] = [];
  #mediaMs = 0;
  #pictures = 0;
  #bytes = 0;
  #lastAt = 0;
  /** The track whose times count, and the last of them; each stream begins anew. */
  #leading: { readonly id: number; readonly isVideo: boolean; dts: number } | undefined;

  /** What comes from now on is of another stream: its times have nothing to do with those before. */
  restart(): void {
    this.#leading = undefined;
  }

  take(unit: AccessUnit, now: number): void {
    const { track, dts } = unit;
    const isVideo = track.format.kind === 'video';
    if (isVideo) this.#pictures++;
    this.#bytes += payloadSize(unit);
    this.#lastAt = now;
    const leading = this.#leading;
    if (leading?.id === track.id) {
      this.#mediaMs += Math.max(0, ((dts - leading.dts) / track.clockRate) * 1000);
      leading.dts = dts;
    } else if (!leading || (isVideo && !leading.isVideo)) {
      this.#leading = { id: track.id, isVideo, dts };
    }
    const last = this.#samples.at(-1);
    if (last && now - last.at < SAMPLE_MS) return;
    this.#samples.push({ at: now, ...this.#totals });
    this.#forget(now);
  }

  at(now: number): Flow {
    this.#forget(now);
    const timeMs = Math.round(this.#mediaMs);
    const [oldest] = this.#samples;
    // Up to the last that came, unless what comes next is late.
    const end = now - this.#lastAt < SAMPLE_MS ? this.#lastAt : now;
    const seconds = oldest ? (end - oldest.at) / 1000 : 0;
    // Too short to tell.
    if (!oldest || seconds < SAMPLE_MS / 1000) return { timeMs, speed: 0, fps: 0, bitRate: 0 };
    const { mediaMs, pictures, bytes } = this.#totals;
    return {
      timeMs,
      speed: round((mediaMs - oldest.mediaMs) / 1000 / seconds, 100),
      fps: round((pictures - oldest.pictures) / seconds, 10),
      bitRate: Math.round(((bytes - oldest.bytes) * 8) / seconds),
    };
  }

  get #totals(): Totals {
    return { mediaMs: this.#mediaMs, pictures: this.#pictures, bytes: this.#bytes };
  }

  #forget(now: number): void {
    const first = this.#samples.findIndex(({ at }) => now - at <= WINDOW_MS);
    this.#samples = first < 0 ? [] : this.#samples.slice(first);
  }
}

/**
 * Has a meter see everything that flows through a stream; the returned function ends that.
 * @param who reads, as the stream shows it
 */
export function observe(stream: Stream, who: string, meter: FlowMeter, clock: Clock): () => void {
  meter.restart();
  const ids = stream.tracks.map(({ id }) => id);
  const feed = stream.feed(`meter ${who}`, ids, () => ({ write: (unit) => meter.take(unit, clock.now()) }));
  const reader = new Reader({
    id: who,
    door: 'job',
    remote: '',
    transport: { write() {}, backlog: 0, onDrain() {}, close() {} },
    clock,
    onClose: () => {},
  });
  feed.attach(reader);
  return () => {
    feed.detach(reader);
    reader.close('It is not looked at any more.');
  };
}

function round(value: number, steps: number): number {
  return Math.round(value * steps) / steps;
}
