import type { CompositionSpec } from '#hub/composition.ts';
import { Composition } from '#hub/composition.ts';
import { Hub, type HubOptions } from '#hub/hub.ts';
import type { PublisherHooks } from '#hub/publication.ts';
import type { Publication } from '#hub/stream.ts';
import type { AccessUnit } from '#media/access-unit.ts';
import type { Track } from '#media/track.ts';
import { VirtualClock } from '#util/clock.ts';
import { fakeReader } from './readers.ts';
import { audio, video } from './units.ts';

/** How a made-up publisher sends; what is captured and when is the same for all of one kind. */
export interface PublisherFaults {
  /** From capture to arrival, ms. */
  readonly delayMs?: number;
  /** Added to that, a different part of it each time, ms. */
  readonly jitterMs?: number;
  /** Its timestamps run so much too fast. */
  readonly ppm?: number;
  /** The clock of its reports is so far ahead. */
  readonly aheadMs?: number;
  /** Its capture times are known by arrival alone. */
  readonly arrival?: boolean;
  /** Where its timestamps begin, s. */
  readonly ptsSeconds?: number;
  /** When it begins it has what was captured in so many ms before. */
  readonly keptMs?: number;
  readonly tracks?: readonly Track[];
  readonly remote?: string;
  readonly requestKeyframe?: () => void;
}

/** A unit of the composition, and how it was. */
export interface Seen {
  readonly unit: AccessUnit;
  readonly kind: string;
  /** True time of its capture, of its leaving, ms. */
  readonly captured: number;
  readonly left: number;
  /** What its capture time says, against the true one, ms. */
  readonly error: number;
}

const STEP = { video: 40, audio: 1024 / 48 } as const;
const GOP = 25;

/** A hub in virtual time, made-up publishers and compositions of their streams. */
export class ComposedTrial {
  readonly clock = new VirtualClock();
  readonly hub: Hub;
  readonly began = this.clock.now();
  readonly seen: Seen[] = [];
  readonly states: string[] = [];
  #random = 1;

  constructor(options: Partial<HubOptions> = {}) {
    this.hub = new Hub({ clock: this.clock, ...options });
  }

  /** Ms since the trial began. */
  get ms(): number {
    return this.clock.now() - this.began;
  }

  advance(ms: number): void {
    this.clock.advance(ms);
  }

  compose(spec: Partial<CompositionSpec> & Pick<CompositionSpec, 'parts'>): Composition {
    const { hub, clock } = this;
    this.#watch('mix');
    return new Composition(
      { name: 'mix', ...spec },
      {
        hub,
        clock,
        onState: ({ state, reason }) =>
          this.states.push(reason === undefined ? state : `${state}: ${reason}`),
      },
    );
  }

  /** A publication that the test writes into by itself. */
  publication(name: string, tracks: readonly Track[]): Publication {
    const publisher = { id: name, door: 'test', remote: 'camera' };
    return this.hub.publish(name, publisher, tracks, { onClose() {} });
  }

  /** Publishes pictures or sound until the returned function is called: as with kill -9, at once. */
  publish(name: string, kind: 'video' | 'audio' | 'both', faults: PublisherFaults = {}): () => void {
    const { delayMs = 0, jitterMs = 0, keptMs = 0, remote = 'camera', requestKeyframe } = faults;
    const kinds = kind === 'both' ? (['video', 'audio'] as const) : [kind];
    const tracks = faults.tracks ?? kinds.map((one) => (one === 'video' ? video : audio));
    const hooks: PublisherHooks = {
      onClose: () => stop(),
      requestKeyframe,
      clocks: () =>
        tracks.map(({ id }) => ({
          track: id,
          source: faults.arrival ? ('arrival' as const) : ('sender-report' as const),
          skewPpm: 0,
          lagMs: 0,
        })),
    };
    const publication = this.hub.publish(name, { id: name, door: 'test', remote }, tracks, hooks);
    let stopped = false;
    const stop = () => {
      stopped = true;
      publication.close('Killed.');
    };
    const cancel = kinds.map((one, n) => {
      const step = STEP[one];
      let number = Math.ceil((this.ms - keptMs) / step);
      // It begins with a keyframe, as whoever joins a stream does.
      if (one === 'video') number = keptMs > 0 ? Math.ceil(number / GOP) * GOP : number;
      const first = number;
      const send = () => {
        if (stopped) return;
        const track = tracks[n]!;
        publication.write(this.#unit(one, number, track, number === first, faults));
        number++;
        const due = number * step + delayMs + this.#jitter() * jitterMs;
        this.clock.after(Math.max(0.001, due - this.ms), send);
      };
      return this.clock.after(Math.max(0.001, number * step + delayMs - this.ms), send);
    });
    return () => {
      for (const one of cancel) one();
      stop();
    };
  }

  /** Of those that left since then: how far sound and picture that were captured together are said to be apart, ms. */
  skew(sinceMs: number, untilMs = Number.POSITIVE_INFINITY): number {
    const judged = this.seen.filter(({ left }) => left >= sinceMs && left < untilMs);
    const errors = (kind: string) => judged.filter((one) => one.kind === kind).map(({ error }) => error);
    const [pictures, sounds] = [errors('video'), errors('audio')];
    if (pictures.length === 0 || sounds.length === 0) return Number.NaN;
    return Math.max(Math.max(...sounds) - Math.min(...pictures), Math.max(...pictures) - Math.min(...sounds));
  }

  /** The same for sound and pictures that left within a second of each other. */
  skewNearby(): number {
    const pictures = this.seen.filter(({ kind }) => kind === 'video');
    let worst = 0;
    let from = 0;
    for (const { kind, left, error } of this.seen) {
      if (kind !== 'audio') continue;
      while (from < pictures.length && pictures[from]!.left < left - 1000) from++;
      for (let n = from; n < pictures.length && pictures[n]!.left <= left + 1000; n++)
        worst = Math.max(worst, Math.abs(error - pictures[n]!.error));
    }
    return worst;
  }

  /** How far out of the order of capture units left, at most, ms. */
  disorder(sinceMs: number, untilMs = Number.POSITIVE_INFINITY): number {
    let latest = Number.NEGATIVE_INFINITY;
    let worst = 0;
    for (const { captured, left } of this.seen) {
      if (left < sinceMs || left >= untilMs) continue;
      worst = Math.max(worst, latest - captured);
      latest = Math.max(latest, captured);
    }
    return worst;
  }

  /** From capture to leaving: the least and the most, ms. */
  latency(kind: string, sinceMs: number, untilMs = Number.POSITIVE_INFINITY): readonly [number, number] {
    const all = this.seen
      .filter((one) => one.kind === kind && one.left >= sinceMs && one.left < untilMs)
      .map(({ left, captured }) => left - captured);
    return [Math.min(...all), Math.max(...all)];
  }

  count(kind: string, sinceMs: number, untilMs = Number.POSITIVE_INFINITY): number {
    return this.seen.filter((one) => one.kind === kind && one.left >= sinceMs && one.left < untilMs).length;
  }

  #unit(
    kind: 'video' | 'audio',
    n: number,
    track: Track,
    isFirst: boolean,
    faults: PublisherFaults,
  ): AccessUnit {
    const { ppm = 0, aheadMs = 0, delayMs = 0, ptsSeconds = 0, arrival = false } = faults;
    const captured = n * STEP[kind];
    const fast = captured * (1 + ppm / 1e6);
    const pts = Math.round((ptsSeconds + fast / 1000) * track.clockRate);
    const said = arrival ? captured + delayMs : captured + aheadMs;
    const payload = Buffer.alloc(100);
    payload.writeDoubleLE(captured);
    const keyframe = kind === 'audio' || isFirst || n % GOP === 0;
    return { track, pts, dts: pts, keyframe, ntp: this.began + said, payload: [payload] };
  }

  /** Looks at all that a stream gives out, also when it is published anew. */
  #watch(name: string): void {
    const attach = () => {
      const stream = this.hub.get(name);
      if (!stream) return;
      const ids = stream.tracks.map(({ id }) => id);
      const feed = stream.feed(`watch ${ids.join()}`, ids, () => ({ write: (unit) => this.#note(unit) }));
      const { reader } = fakeReader({ clock: this.clock, onClose: () => feed.detach(reader) });
      feed.attach(reader);
      return () => feed.detach(reader);
    };
    this.hub.events.on('streamAdded', (stream) => {
      if (stream.name !== name) return;
      let detach = attach();
      stream.events.on('replaced', () => {
        const before = detach;
        detach = attach();
        before?.();
      });
    });
  }

  #note(unit: AccessUnit): void {
    const captured = unit.payload[0]!.readDoubleLE();
    const error = unit.ntp - this.began - captured;
    this.seen.push({ unit, kind: unit.track.format.kind, captured, left: this.ms, error });
  }

  #jitter(): number {
    this.#random = (this.#random * 16_807) % 2_147_483_647;
    return this.#random / 2_147_483_647;
  }
}
