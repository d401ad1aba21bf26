import type { AccessUnit } from '#media/access-unit.ts';
import { CaptureOrder } from '#media/capture-order.ts';
import type { Clock } from '#util/clock.ts';
import { NamedError } from '#util/named-error.ts';
import { CompositionClocks } from './composition-clocks.ts';
import { CompositionLane } from './composition-lane.ts';
import type { CompositionSpec, CompositionStatus } from './composition-spec.ts';
import type { Hub } from './hub.ts';
import type { PublisherHooks, PublisherInfo } from './publication.ts';
import type { Publication } from './stream.ts';
import { TrackTable } from './track-table.ts';

export type { CompositionPart, CompositionSpec, CompositionStatus } from './composition-spec.ts';

const HOLD_MS = 6000;
/**
 * Clocks that are known by sender reports and differ by more than so many ms, against ours, are not of one time. Somebody
 * wants them together, so what lies between is rather a long way than a wrong clock.
 */
const SAME_MS = 6000;
const HOLD_BYTES = 32 << 20;
/** Where its name is taken it looks again after so many ms. */
const RETRY_MS = 1000;
/** Units that are gathered are looked at again after so many ms even if nothing comes. */
const LOOK_MS = 200;

export interface CompositionOptions {
  readonly hub: Hub;
  readonly clock: Clock;
  /** As whose its stream is shown; without it as the composition's. */
  readonly publisher?: PublisherInfo | undefined;
  /** Its state changed, or the reason for it. */
  readonly onState: (status: CompositionStatus) => void;
}

type State = Pick<CompositionStatus, 'state' | 'reason' | 'code'>;

let made = 0;

/**
 * A stream that is put together from tracks of other streams of the hub, without a copy of what they carry (R2, R3) and
 * on one clock (R1): chosen (one part), merged (several), or made something else on the way (renditions).
 *
 * It begins when its parts are there and goes on while one of them is away: what comes back continues its track. All
 * parts leave in the order of their capture, those that come sooner held until the slowest (`media/capture-order.ts`).
 * Where the set of tracks becomes another one, it is published anew under the same name.
 */
export class Composition implements AsyncDisposable {
  readonly spec: CompositionSpec;
  readonly #options: CompositionOptions;
  readonly #clocks: CompositionClocks;
  readonly #order: CaptureOrder<AccessUnit>;
  readonly #lanes: readonly CompositionLane[];
  readonly #table = new TrackTable();
  readonly #forgetLoop: () => void;
  #publication: Publication | undefined;
  /** Since when there is something that could be published. */
  #firstAt: number | undefined;
  /** Why its name is not to be had. */
  #refusal: { readonly reason: string; readonly code?: string; readonly final: boolean } | undefined;
  /** As it was told last. */
  #told: State & Pick<CompositionStatus, 'since'>;
  #cancelBegin = () => {};
  #cancelFlow = () => {};
  #flowAt: number | undefined;
  #closed = false;

  /** @throws NamedError STREAM_LOOP */
  constructor(spec: CompositionSpec, options: CompositionOptions) {
    this.spec = spec;
    this.#options = options;
    const { hub, clock } = options;
    const { holdMs = HOLD_MS, holdBytes = HOLD_BYTES, name, parts } = spec;
    this.#told = { state: 'waiting', since: clock.now() };
    this.#forgetLoop = hub.derivations.add(
      name,
      parts.map(({ stream }) => stream),
    );
    const isAlone = new Set(parts.map(({ stream }) => stream)).size === 1;
    this.#clocks = new CompositionClocks({ isAlone, sameMs: SAME_MS });
    this.#order = new CaptureOrder({ holdMs, holdBytes });
    const id = `${name}#${++made}`;
    this.#lanes = parts.map(
      (part, n) =>
        new CompositionLane({
          part,
          info: { id: `${id}.${n}`, remote: name },
          hub,
          clocks: this.#clocks,
          order: this.#order,
          gatherMs: holdMs,
          gatherBytes: holdBytes / parts.length,
          changed: () => this.#look(),
          came: () => this.#flow(),
        }),
    );
    for (const { reader } of this.#lanes) reader.begin();
    this.#look();
  }

  get status(): CompositionStatus {
    return {
      name: this.spec.name,
      ...this.#state,
      since: this.#told.since,
      parts: this.#lanes.map((lane) => lane.status),
      waiting: this.#order.waiting(this.#options.clock.now()),
    };
  }

  /** Ends its stream and lets go of its parts. Idempotent. */
  async close(reason: string): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#cancelBegin();
    this.#stop(reason);
    for (const lane of this.#lanes) lane.close(reason);
    this.#forgetLoop();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close('The composition was ended.');
  }

  /** One of its parts came, went or is another one now. */
  #look(): void {
    if (this.#closed) return;
    const readers = this.#lanes.map(({ reader }) => reader);
    if (this.#failure !== undefined) this.#stop(this.#failure);
    else if (readers.every(({ stream }) => !stream)) this.#stop(this.#missing ?? 'Its parts are gone.');
    else if (this.#publication) this.#follow();
    else this.#begin();
    this.#tell();
    this.#flow();
  }

  get #state(): State {
    const failure = this.#failure;
    if (failure !== undefined) return { state: 'failed', reason: failure, code: 'RENDITION_FAILED' };
    const { reason = this.#missing, code, final } = this.#refusal ?? {};
    const why = { ...(reason !== undefined && { reason }), ...(code !== undefined && { code }) };
    if (this.#publication) return { state: 'running', ...why };
    return { state: final ? 'failed' : 'waiting', ...why };
  }

  #tell(): void {
    const { since, state, reason, code } = this.#told;
    const now = this.#state;
    if (state === now.state && reason === now.reason && code === now.code) return;
    this.#told = { ...now, since: state === now.state ? since : this.#options.clock.now() };
    this.#options.onState(this.status);
  }

  /** Why one of its renditions will not come. */
  get #failure(): string | undefined {
    return this.#lanes.find(({ reader }) => reader.failure !== undefined)?.reader.failure;
  }

  /** What is not there, in sentences. */
  get #missing(): string | undefined {
    const reasons = this.#lanes.flatMap(({ reader }) => reader.status.reason ?? []);
    return reasons.length > 0 ? [...new Set(reasons)].join(' ') : undefined;
  }

  #begin(): void {
    const { clock, hub } = this.#options;
    const { beginMs, name } = this.spec;
    this.#refusal = undefined;
    const there = this.#lanes.filter(({ reader }) => reader.isReady && reader.tracks.length > 0);
    if (there.length === 0) {
      this.#firstAt = undefined;
      return;
    }
    const now = clock.now();
    this.#firstAt ??= now;
    if (!this.#lanes.every(({ reader }) => reader.isReady && reader.status.state !== 'held')) {
      if (beginMs === undefined) return;
      if (now - this.#firstAt < beginMs) return this.#lookIn(this.#firstAt + beginMs - now);
    }
    const taken = hub.get(name);
    if (taken?.taker) {
      this.#refusal = { reason: `Somebody else publishes "${name}" now.`, code: 'STREAM_BUSY', final: false };
      return this.#lookIn(RETRY_MS);
    }
    for (const lane of there) lane.take(this.#table);
    const leader = there.find(({ reader }) => reader.hasVideo) ?? there[0]!;
    if (leader.clock) this.#clocks.choose(leader.clock);
    if (!this.#publish()) return;
    for (const lane of there) lane.prepare();
  }

  /** Takes up tracks that its parts have now. */
  #follow(): void {
    const before = new Set(this.#table.ids);
    for (const lane of this.#lanes) if (lane.reader.isReady) lane.take(this.#table);
    if (before.symmetricDifference(new Set(this.#table.ids)).size === 0) return;
    const publication = this.#publication;
    this.#publication = undefined;
    publication?.close('It has other tracks now.');
    this.#publish();
  }

  #publish(): boolean {
    const { hub, publisher } = this.#options;
    const { name, parts } = this.spec;
    const remote = `of ${[...new Set(parts.map(({ stream }) => stream))].join(', ')}`;
    const info = publisher ?? { id: name, door: 'composition', remote };
    try {
      this.#publication = hub.publish(name, info, this.#table.list, this.#hooks());
    } catch (error) {
      if (!(error instanceof NamedError)) throw error;
      const { message: reason, code } = error;
      this.#refusal = { reason, code, final: code !== 'STREAM_BUSY' };
      if (!this.#refusal.final) this.#lookIn(RETRY_MS);
      return false;
    }
    this.#refusal = undefined;
    return true;
  }

  #hooks(): PublisherHooks {
    const lanes = this.#lanes;
    const clocks = this.#clocks;
    const all = <T>(of: (lane: CompositionLane) => readonly T[] | undefined) =>
      lanes.flatMap((lane) => of(lane) ?? []);
    return {
      onClose: (reason) => this.#lost(reason),
      get requestKeyframe() {
        const askable = lanes.filter(({ reader }) => reader.canRequestKeyframe);
        if (askable.length === 0) return undefined;
        return () => {
          for (const { reader } of askable) reader.requestKeyframe();
        };
      },
      clocks: () => all((lane) => lane.states),
      reception: () => all((lane) => lane.reception),
      clockOrigin: () => clocks.origin,
    };
  }

  /** Its publication was ended by somebody else. */
  #lost(reason: string): void {
    this.#publication = undefined;
    this.#stop(reason);
    this.#refusal = { reason, final: false };
    this.#lookIn(RETRY_MS);
    this.#tell();
  }

  /** Nothing is published any more; it may begin anew. */
  #stop(reason: string): void {
    this.#cancelFlow();
    this.#flowAt = undefined;
    this.#firstAt = undefined;
    this.#order.clear();
    for (const lane of this.#lanes) lane.stop();
    const publication = this.#publication;
    this.#publication = undefined;
    publication?.close(reason);
  }

  #lookIn(ms: number): void {
    this.#cancelBegin();
    this.#cancelBegin = this.#options.clock.after(ms, () => this.#look());
  }

  /** Gives out what may leave by now. */
  #flow(): void {
    const now = this.#options.clock.now();
    if (!this.#publication) {
      for (const lane of this.#lanes) lane.trim(now);
      return;
    }
    let due = this.#gather(now);
    for (;;) {
      const unit = this.#order.take(now);
      if (!unit) break;
      this.#publication?.write(unit);
    }
    const { dueAt } = this.#order;
    if (dueAt !== undefined && (due === undefined || dueAt < due)) due = dueAt;
    this.#flowBy(due, now);
  }

  /** Lines up what is gathered of parts whose clocks are known; gives when those that are not have to be looked at. */
  #gather(now: number): number | undefined {
    let due: number | undefined;
    for (let round = 0; round < 2; round++) {
      due = undefined;
      for (const lane of this.#lanes) {
        if (!lane.isGathering) continue;
        if (lane.clock && this.#clocks.isReady(lane.clock, now)) lane.release(now);
        else due = now + LOOK_MS;
      }
      // That of one may have been what another one waited for.
      if (due === undefined) break;
    }
    // Also where clocks are known: tracks that the composition does not have yet may be long in coming.
    for (const lane of this.#lanes) lane.trim(now);
    return due;
  }

  #flowBy(due: number | undefined, now: number): void {
    if (due === undefined || (this.#flowAt !== undefined && this.#flowAt <= due)) return;
    this.#cancelFlow();
    this.#flowAt = due;
    this.#cancelFlow = this.#options.clock.after(Math.max(1, due - now), () => {
      this.#flowAt = undefined;
      this.#flow();
    });
  }
}
