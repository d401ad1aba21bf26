import { Reader } from '#hub/reader.ts';
import type { Stream } from '#hub/stream.ts';
import type { AccessUnit } from '#media/access-unit.ts';
import { payloadSize } from '#media/access-unit.ts';
import type { Track } from '#media/track.ts';
import type { TrackReport } from '#media/track-report.ts';
import { type Clock, systemClock } from '#util/clock.ts';

/** How often is looked for the second keyframe, once the time is over. */
const LOOK_MS = 250;

export interface MeasureOptions {
  readonly clock?: Clock;
  /** How long it is looked at, ms. */
  readonly forMs?: number;
  /** How long at most, where no second keyframe has come by then. */
  readonly atMostMs?: number;
}

/** Looks at a stream that has begun for some seconds, and says what it is made of. Ends early with the stream. */
export function measure(stream: Stream, options: MeasureOptions = {}): Promise<TrackReport[]> {
  const { clock = systemClock, forMs = 3000, atMostMs = 8000 } = options;
  return new Promise((resolve) => {
    const seen = new Map<number, TrackMeter>();
    let cancel = () => {};
    const finish = () => {
      cancel();
      const { tracks, clocks } = stream;
      feed.detach(reader);
      resolve(
        tracks.map((track) => {
          const source = clocks?.find((one) => one.track === track.id)?.source;
          const measured = seen.get(track.id)?.report(track.clockRate);
          return { ...describeTrack(track), ...measured, ...(source ? { clock: source } : {}) };
        }),
      );
    };
    const ids = stream.tracks.map(({ id }) => id);
    const feed = stream.feed('measure', ids, () => ({
      write(unit) {
        const meter = seen.get(unit.track.id) ?? new TrackMeter();
        seen.set(unit.track.id, meter);
        meter.take(unit);
      },
    }));
    const reader = new Reader({
      id: 'measure',
      door: 'probe',
      remote: '',
      transport: { write() {}, backlog: 0, onDrain() {}, close() {} },
      clock,
      onClose: finish,
    });
    const lacksKeyframe = () =>
      stream.tracks.some(({ id, format }) => format.kind === 'video' && (seen.get(id)?.keyframes ?? 0) < 2);
    cancel = clock.after(forMs, () => {
      if (!lacksKeyframe()) return finish();
      const look = (left: number) => {
        if (left <= 0 || !lacksKeyframe()) return finish();
        cancel = clock.after(LOOK_MS, () => look(left - LOOK_MS));
      };
      look(atMostMs - forMs);
    });
    feed.attach(reader);
  });
}

/** What a track says of itself. */
export function describeTrack({ format }: Track): TrackReport {
  switch (format.kind) {
    case 'video': {
      const { kind, codec, codecString, width, height } = format;
      return { kind, codec, ...named(codecString), ...(width > 0 ? { width, height } : {}) };
    }
    case 'audio': {
      const { kind, codec, codecString, sampleRate, channels } = format;
      return { kind, codec, ...named(codecString), sampleRate, channels };
    }
    case 'data':
      return { kind: 'data', codec: format.codec };
  }
}

function named(codecString: string): { readonly codecString?: string } {
  return codecString === '' ? {} : { codecString };
}

/** Counts the units of one track. */
class TrackMeter {
  #units = 0;
  /** Of all units but the last, whose duration is not known. */
  #bytes = 0;
  #lastSize = 0;
  #first: number | undefined;
  #last = 0;
  #keyframes: number[] = [];
  #isVideo = false;

  get keyframes(): number {
    return this.#keyframes.length;
  }

  take(unit: AccessUnit): void {
    this.#first ??= unit.dts;
    this.#last = unit.dts;
    this.#units++;
    this.#bytes += this.#lastSize;
    this.#lastSize = payloadSize(unit);
    this.#isVideo = unit.track.format.kind === 'video';
    if (unit.keyframe && this.#isVideo) this.#keyframes.push(unit.pts);
  }

  report(clockRate: number): Pick<TrackReport, 'fps' | 'bitrate' | 'keyframeInterval'> {
    const seconds = (this.#last - (this.#first ?? 0)) / clockRate;
    if (seconds < 0.5) return {};
    const [first = 0] = this.#keyframes;
    const last = this.#keyframes.at(-1) ?? 0;
    return {
      ...(this.#isVideo ? { fps: round((this.#units - 1) / seconds) } : {}),
      bitrate: Math.round((this.#bytes * 8) / seconds),
      ...(this.#keyframes.length > 1
        ? { keyframeInterval: round((last - first) / clockRate / (this.#keyframes.length - 1)) }
        : {}),
    };
  }
}

function round(value: number): number {
  return Math.round(value * 1000) / 1000;
}
