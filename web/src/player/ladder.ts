/** The ways a stream comes to the page, best first: least latency with sound and exact boxes. */
export const RUNGS = ['webrtc', 'mse', 'hls', 'mjpeg'] as const;
export type Rung = (typeof RUNGS)[number];

/** What the viewer chose: a rung to begin with, or the best that works. */
export type Via = 'auto' | Rung;

/** Why a rung is not played. */
export type Setback =
  /** This browser cannot do it at all. */
  | { readonly kind: 'missing' }
  /** What the stream is coded in does not go this way, or this browser has no decoder for it. */
  | { readonly kind: 'codec'; readonly media?: 'video' | 'audio'; readonly codec?: string }
  /** The sound does not go this way, and goes another. */
  | { readonly kind: 'sound'; readonly codec: string }
  /** Neither UDP nor TCP reaches the server's port for WebRTC. */
  | { readonly kind: 'udp' }
  /** Nor a WebSocket, though HTTP gets through. */
  | { readonly kind: 'socket' }
  | { readonly kind: 'no-picture' }
  | { readonly kind: 'broken' }
  /** Connected, and nothing comes though the stream is live. */
  | { readonly kind: 'stalled' }
  /** Most pictures cannot be decoded as they come, as with B-frames over WebRTC. */
  | { readonly kind: 'garbled' }
  /** *In step* has to hold pictures back for longer than this way can. */
  | { readonly kind: 'far' }
  /** Frames come without their timestamp here, so that boxes cannot be put on them. */
  | { readonly kind: 'unmarked' }
  /** By the server; its sentence, and the code of docs/errors.md where there is one. */
  | { readonly kind: 'refused'; readonly message: string; readonly code?: string };

/** What is held against a rung. */
export interface Standing {
  readonly setback: Setback;
  /** It is tried again from then on, ms; infinite: only when the stream or the wish changes. */
  readonly until: number;
  readonly failedAt: number;
  /** In a row: each doubles the wait. */
  readonly failures: number;
}

/** So long an opened rung may take for its first picture: what is slow is slower on the lower ones. */
const FIRST_PICTURE_MS: Readonly<Record<Rung, number>> = {
  webrtc: 8_000,
  mse: 10_000,
  hls: 15_000,
  mjpeg: 20_000,
};
/** An opened rung without a picture for so long gets company by the next one; whichever shows a picture first plays. */
const HEAD_START_MS = 2_000;
/** A better rung, tried beside one that plays, has to be answered in this time. */
const OPEN_MS = 20_000;
const FIRST_WAIT_MS = 30_000;
const LONGEST_WAIT_MS = 600_000;
/** Where every rung failed, the first is tried again after this. */
const LAST_RESORT_MS = 2_000;
/** A rung that played so long and then broke is begun anew at once: its session ended, but its way is known to be open. */
const WORTH_RENEWAL_MS = 10_000;
/** Once in this time. */
const RENEWAL_REST_MS = 60_000;
/** A rung that played so long has made good for its failures. */
const MADE_GOOD_MS = 60_000;

/** Nothing that time heals. */
const lasting: ReadonlySet<Setback['kind']> = new Set(['missing', 'codec', 'sound', 'far', 'unmarked']);
/** What may be otherwise with another format. */
const ofTheFormat: ReadonlySet<Setback['kind']> = new Set(['codec', 'sound', 'garbled', 'refused']);
const renewable: ReadonlySet<Setback['kind']> = new Set(['broken', 'stalled']);

interface Attempt {
  readonly since: number;
  /** When the server answered and had the stream. */
  opened: number | undefined;
}

/**
 * Decides which rungs are at work. It begins with the best one that nothing is held against, goes down when one fails,
 * and comes back up when time has passed; a better rung is tried beside the one that plays and takes over with its first
 * picture, so that the viewer never sees the change. Pure: all times are the caller's, ms of any one clock.
 */
export class Ladder {
  readonly #attempts = new Map<Rung, Attempt>();
  readonly #standings: Map<Rung, Standing>;
  readonly #renewals = new Map<Rung, number>();
  #via: Via;
  #playing: { readonly rung: Rung; readonly since: number } | undefined;

  /** @param options `standings`: what is remembered, and what this browser cannot do */
  constructor(options: { readonly via: Via; readonly standings?: ReadonlyMap<Rung, Standing>; now: number }) {
    this.#via = options.via;
    this.#standings = new Map(options.standings);
    this.update(options.now);
  }

  get via(): Via {
    return this.#via;
  }

  get playing(): Rung | undefined {
    return this.#playing?.rung;
  }

  /** Rungs to be at work, best first; one that plays among them. */
  get running(): readonly Rung[] {
    return this.#order.filter((rung) => rung === this.playing || this.#attempts.has(rung));
  }

  /** Everything that is held against rungs. */
  get standings(): ReadonlyMap<Rung, Standing> {
    return this.#standings;
  }

  /** No rung can play this stream here, whatever time passes. */
  get isExhausted(): boolean {
    return this.running.length === 0 && RUNGS.every((rung) => this.#standings.get(rung)?.until === Infinity);
  }

  /** Why rungs are not played that would be better than the one that is (or is tried), best first. */
  get setbacks(): readonly { readonly rung: Rung; readonly setback: Setback }[] {
    const order = this.#order;
    const best = this.playing ?? this.running[0];
    const better = best === undefined ? order : order.slice(0, order.indexOf(best));
    return better.flatMap((rung) => {
      const standing = this.#standings.get(rung);
      return standing ? [{ rung, setback: standing.setback }] : [];
    });
  }

  /** The server answered and has the stream: pictures should come. */
  opened(rung: Rung, now: number): void {
    const attempt = this.#attempts.get(rung);
    if (attempt) attempt.opened ??= now;
  }

  /** The stream is not there (yet, or any more): that is nothing against the rung. */
  waiting(rung: Rung): void {
    const attempt = this.#attempts.get(rung);
    if (attempt) attempt.opened = undefined;
  }

  /** The first picture, or sound where there is no picture, has come. */
  shown(rung: Rung, now: number): void {
    if (!this.#attempts.delete(rung)) return;
    this.#playing = { rung, since: now };
    const standing = this.#standings.get(rung);
    // Its failures are forgotten only when it has played for a while.
    if (standing) this.#standings.set(rung, { ...standing, until: 0 });
    this.update(now);
  }

  failed(rung: Rung, setback: Setback, now: number): void {
    const played = this.#playing?.rung === rung ? now - this.#playing.since : undefined;
    if (!this.#attempts.delete(rung) && played === undefined) return;
    if (played !== undefined) this.#playing = undefined;
    if (played !== undefined && this.#renews(rung, setback, played, now)) {
      this.#renewals.set(rung, now);
      this.#attempts.set(rung, { since: now, opened: undefined });
    } else this.#hold(rung, setback, now);
    if (rung === 'mse' && setback.kind === 'codec' && this.playing !== 'hls') {
      // The same bytes for the same decoders.
      this.#attempts.delete('hls');
      this.#hold('hls', setback, now);
    }
    this.update(now);
  }

  /** The viewer wants this: what stood against it is tried anew. */
  choose(via: Via, now: number): void {
    this.#via = via;
    for (const [rung, { setback }] of [...this.#standings]) {
      const wanted = via === 'auto' ? !lasting.has(setback.kind) : rung === via;
      if (wanted && setback.kind !== 'missing') this.#standings.delete(rung);
    }
    const order = this.#order;
    const playing = this.playing;
    for (const rung of [...this.#attempts.keys()]) {
      // What is being tried for a place below what plays, or below a new first choice, is let go.
      if (playing ? order.indexOf(rung) > order.indexOf(playing) : rung !== order[0])
        this.#attempts.delete(rung);
    }
    this.update(now);
  }

  /** The stream is in other formats now. */
  renewed(now: number): void {
    this.#forget(({ kind }) => ofTheFormat.has(kind));
    this.update(now);
  }

  /** The reason of that kind is gone. */
  forgive(kind: Setback['kind'], now: number): void {
    if (this.#forget((setback) => setback.kind === kind)) this.update(now);
  }

  /** The page can be seen again: until now nothing could be told from the absence of pictures. */
  awake(now: number): void {
    for (const [rung, { opened }] of [...this.#attempts]) {
      this.#attempts.set(rung, { since: now, opened: opened === undefined ? undefined : now });
    }
  }

  /** To be called now and then: what took too long fails, and what has waited long enough is tried. */
  update(now: number): void {
    for (const [rung, attempt] of [...this.#attempts]) {
      const late = attempt.opened !== undefined && now - attempt.opened >= FIRST_PICTURE_MS[rung];
      const unanswered = this.#playing !== undefined && now - attempt.since >= OPEN_MS;
      if (!late && !unanswered) continue;
      this.#attempts.delete(rung);
      this.#hold(rung, { kind: 'no-picture' }, now);
    }
    if (this.#playing && now - this.#playing.since >= MADE_GOOD_MS)
      this.#standings.delete(this.#playing.rung);
    if (this.#playing) this.#climb(this.#playing.rung, now);
    else this.#begin(now);
  }

  get #order(): readonly Rung[] {
    const via = this.#via;
    return via === 'auto' ? RUNGS : [via, ...RUNGS.filter((rung) => rung !== via)];
  }

  #isFree(rung: Rung, now: number): boolean {
    return (this.#standings.get(rung)?.until ?? 0) <= now;
  }

  /** Tries a better rung beside the one that plays, and no worse one. */
  #climb(playing: Rung, now: number): void {
    const order = this.#order;
    const place = order.indexOf(playing);
    for (const rung of [...this.#attempts.keys()])
      if (order.indexOf(rung) > place) this.#attempts.delete(rung);
    if (this.#attempts.size > 0) return;
    const better = order.slice(0, place).find((rung) => this.#isFree(rung, now));
    if (better) this.#attempts.set(better, { since: now, opened: undefined });
  }

  #begin(now: number): void {
    const free = this.#order.filter((rung) => this.#isFree(rung, now) && !this.#attempts.has(rung));
    const tried = [...this.#attempts.values()];
    const isSlow = tried.every(({ opened }) => opened !== undefined && now - opened >= HEAD_START_MS);
    const next = tried.length === 0 ? (free[0] ?? this.#lastResort(now)) : isSlow ? free[0] : undefined;
    // Two at a time are enough to find out.
    if (next && tried.length < 2) this.#attempts.set(next, { since: now, opened: undefined });
  }

  /** Everything failed lately: what comes free first need not wait for that. */
  #lastResort(now: number): Rung | undefined {
    const [first] = [...this.#standings]
      .filter(([, { until, failedAt }]) => until !== Infinity && now - failedAt >= LAST_RESORT_MS)
      .sort(([, a], [, b]) => a.until - b.until);
    return first?.[0];
  }

  #renews(rung: Rung, setback: Setback, played: number, now: number): boolean {
    const last = this.#renewals.get(rung) ?? -Infinity;
    return renewable.has(setback.kind) && played >= WORTH_RENEWAL_MS && now - last >= RENEWAL_REST_MS;
  }

  #hold(rung: Rung, setback: Setback, now: number): void {
    const failures = (this.#standings.get(rung)?.failures ?? 0) + 1;
    const wait = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** (failures - 1));
    const until = lasting.has(setback.kind) ? Infinity : now + wait;
    this.#standings.set(rung, { setback, until, failedAt: now, failures });
  }

  #forget(matches: (setback: Setback) => boolean): boolean {
    const found = [...this.#standings].filter(([, { setback }]) => matches(setback));
    for (const [rung] of found) this.#standings.delete(rung);
    return found.length > 0;
  }
}
