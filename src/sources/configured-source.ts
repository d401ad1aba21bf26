import { isDeepStrictEqual } from 'node:util';
import type { Hub } from '#hub/hub.ts';
import type { OnDemand } from '#hub/on-demand.ts';
import { type Clock, systemClock } from '#util/clock.ts';
import type {
  SourceOverview,
  SourceSettings,
  SourceStatus,
  StartSource,
  StartStandby,
} from './configured.ts';
import { SourceSlot } from './source-slot.ts';
import { StandbyKeeper } from './standby-keeper.ts';

export interface ConfiguredSourceOptions {
  readonly start: StartSource;
  /** How something stands in for a source that is gone; without it nothing does. */
  readonly standby?: { readonly start: StartStandby; readonly hub: Pick<Hub, 'events' | 'get'> };
  readonly onState: (status: SourceStatus) => void;
  /** The stream has no second source any more. */
  readonly onFillRemoved?: (stream: string, reason: string) => void;
  readonly onDemand: OnDemand;
  readonly clock?: Clock;
  /** Nobody wants the stream of one source on demand any more. */
  readonly onDismissed?: (reason: string) => void;
}

/**
 * So long after the source has come the second one is waited for, before readers that wait for the stream get it as it
 * is: those over RTSP cannot be told of a track that comes later.
 */
const FILL_MS = 2000;

/**
 * One source, with a second one for what it does not have and what stands in for it: at work from its beginning to its
 * end, or as often as somebody wants its stream.
 */
export class ConfiguredSource implements AsyncDisposable {
  readonly #options: ConfiguredSourceOptions;
  readonly #clock: Clock;
  readonly #main: SourceSlot;
  #fill: SourceSlot | undefined;
  #standby: StandbyKeeper | undefined;
  #takeBack = () => {};
  /** The second source has still to show whether it comes. */
  #awaitsFill = false;
  #cancelFill = () => {};
  /** Ends of what was changed. */
  #ending: Promise<unknown> = Promise.resolve();

  /** `after` is the end of the source that the stream had before. */
  constructor(settings: SourceSettings, options: ConfiguredSourceOptions, after?: Promise<void>) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    const { start } = options;
    this.#main = new SourceSlot(
      settings,
      { start, onState: (status) => this.#mainChanged(status), clock: this.#clock },
      after,
    );
    this.#fill = this.#fillOf(settings, after);
    this.#standby = this.#standbyOf(settings);
    if (settings.onDemand) {
      this.#offer();
    } else if (after) {
      this.#summon();
    } else {
      this.#awaitsFill = this.#fill !== undefined;
      this.#main.begin();
      this.#fill?.begin();
    }
  }

  get settings(): SourceSettings {
    return this.#main.settings;
  }

  /** Goes on with other settings, where they are other ones: readers of the stream are held meanwhile. */
  change(settings: SourceSettings): void {
    const before = this.settings;
    this.#main.change(settings);
    this.#changeFill(settings);
    if (!isDeepStrictEqual(before.standby, settings.standby)) {
      this.#let(this.#standby?.end('The stand-by was changed.'));
      this.#standby = this.#standbyOf(settings);
    }
    this.#mind();
    if (settings.onDemand && !before.onDemand) {
      this.#offer();
    } else if (!settings.onDemand && before.onDemand) {
      this.#takeBack();
      this.#takeBack = () => {};
      this.#summon();
    }
  }

  get status(): SourceOverview {
    return {
      ...this.#main.status,
      ...(this.#fill ? { fill: this.#fill.status } : {}),
      ...(this.#standby ? { standby: this.#standby.status } : {}),
    };
  }

  /** Ends it; resolves when nothing of it is left. */
  async end(reason: string): Promise<void> {
    this.#takeBack();
    this.#cancelFill();
    const ends = [this.#main.end(reason), this.#fill?.end(reason), this.#standby?.end(reason)];
    if (this.#fill) this.#options.onFillRemoved?.(this.settings.stream, reason);
    await Promise.all([...ends, this.#ending]);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.end('The source was stopped.');
  }

  #fillOf({ stream, fill }: SourceSettings, after: Promise<void> | undefined): SourceSlot | undefined {
    if (!fill) return undefined;
    const { start } = this.#options;
    return new SourceSlot(
      { ...fill, stream, onDemand: undefined },
      {
        part: 'fill',
        start: (settings, onState) => start(settings, onState, 'fill'),
        onState: (status) => this.#fillChanged(status),
        clock: this.#clock,
      },
      after,
    );
  }

  #standbyOf({ stream, standby: settings }: SourceSettings): StandbyKeeper | undefined {
    const { standby, onState } = this.#options;
    if (!settings || !standby) return undefined;
    return new StandbyKeeper({ stream, settings, ...standby, onState, clock: this.#clock });
  }

  #changeFill(settings: SourceSettings): void {
    const { stream, fill } = settings;
    if (fill && this.#fill) {
      this.#fill.change({ ...fill, stream, onDemand: undefined });
    } else if (this.#fill) {
      this.#completed();
      const reason = 'The second source was taken out of the configuration.';
      this.#let(this.#fill.end(reason));
      this.#fill = undefined;
      this.#options.onFillRemoved?.(stream, reason);
    } else if (fill) {
      this.#fill = this.#fillOf(settings, undefined);
      if (this.#main.wanted) this.#fill?.begin();
    }
  }

  #let(end: Promise<void> | undefined): void {
    if (end) this.#ending = Promise.all([this.#ending, end]);
  }

  /** From now on it is at work only while somebody wants its stream; where it is at work, it has to be wanted. */
  #offer(): void {
    const trouble = () => this.#main.trouble;
    const partial = () => this.#awaitsFill;
    const limits = () => this.settings.onDemand ?? { startMs: 0, closeMs: 0 };
    this.#takeBack = this.#options.onDemand.add(
      this.settings.stream,
      {
        summon: () => this.#summon(),
        dismiss: (reason) => {
          this.#dismiss(reason);
          this.#options.onDismissed?.(reason);
        },
        get trouble() {
          return trouble();
        },
        get partial() {
          return partial();
        },
      },
      {
        get startMs() {
          return limits().startMs;
        },
        get closeMs() {
          return limits().closeMs;
        },
      },
      this.#main.wanted,
    );
  }

  #summon(): void {
    this.#awaitsFill = this.#fill !== undefined;
    this.#main.summon();
    this.#fill?.summon();
    this.#mind();
  }

  #dismiss(reason: string): void {
    this.#cancelFill();
    this.#main.dismiss(reason);
    this.#fill?.dismiss(reason);
    this.#standby?.dismiss(reason);
  }

  #mainChanged(status: SourceStatus): void {
    this.#mind();
    if (this.#awaitsFill && status.state === 'running') {
      this.#cancelFill();
      this.#cancelFill = this.#clock.after(FILL_MS, () => this.#completed());
    }
    this.#options.onState(status);
  }

  #fillChanged(status: SourceStatus): void {
    if (status.state !== 'starting') this.#completed();
    this.#options.onState(status);
  }

  /** Readers that wait for the stream wait for its second source no longer. */
  #completed(): void {
    if (!this.#awaitsFill) return;
    this.#awaitsFill = false;
    this.#cancelFill();
    this.#options.onDemand.completed(this.settings.stream);
  }

  /** Tells what stands in how the source does: one that came to its end (a film) is not lost. */
  #mind(): void {
    const { state } = this.#main.status;
    if (state === 'running' || state === 'done') this.#standby?.back();
    else if (this.#main.wanted) this.#standby?.lost();
  }
}
