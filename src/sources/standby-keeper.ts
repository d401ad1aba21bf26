import type { Hub } from '#hub/hub.ts';
import type { Stream } from '#hub/stream.ts';
import type { Track } from '#media/track.ts';
import type { Clock } from '#util/clock.ts';
import { type SourceStatus, type StandbySettings, type StartStandby, statusOf } from './configured.ts';
import type { SourceTask } from './contract.ts';

export interface StandbyOptions {
  readonly stream: string;
  readonly settings: StandbySettings;
  readonly start: StartStandby;
  readonly hub: Pick<Hub, 'events' | 'get'>;
  readonly onState: (status: SourceStatus) => void;
  readonly clock: Clock;
}

/**
 * Has something stand in for a stream's source: so long after the source was lost, or did not come, until the hub has the
 * source's picture again. It knows what the stream was like, so that what stands in is like that.
 */
export class StandbyKeeper {
  readonly #options: StandbyOptions;
  readonly #forget: readonly (() => void)[];
  #like: readonly Track[] = [];
  #lost = false;
  #task: SourceTask | undefined;
  #ending: Promise<void> = Promise.resolve();
  #cancel = () => {};
  #since: number;

  constructor(options: StandbyOptions) {
    this.#options = options;
    const { hub, stream: name, clock } = options;
    this.#since = clock.now();
    const look = (stream: Stream | undefined) => {
      if (stream?.name === name && stream.state === 'live') this.#like = stream.tracks;
    };
    look(hub.get(name));
    this.#forget = [hub.events.on('streamAdded', look), hub.events.on('streamChanged', look)];
  }

  get settings(): StandbySettings {
    return this.#options.settings;
  }

  get status(): SourceStatus {
    const common = {
      stream: this.#options.stream,
      part: 'standby',
      address: this.settings.path,
    } as const;
    if (!this.#task) return { ...common, state: 'idle', since: this.#since };
    return { ...common, ...statusOf(this.#task) };
  }

  /** The source is not there, although it should be. */
  lost(): void {
    if (this.#lost) return;
    this.#lost = true;
    this.#schedule();
  }

  /** The source is there. What is shown goes on until the hub, which ends it, has a keyframe of the source. */
  back(): void {
    this.#lost = false;
    this.#cancel();
    if (this.#task && this.#task.status.state !== 'running') this.#stop('The source is back.');
  }

  /** Nobody wants the stream. */
  dismiss(reason: string): void {
    this.#lost = false;
    this.#cancel();
    this.#stop(reason);
  }

  /** Ends it; resolves when nothing of it is left. */
  async end(reason: string): Promise<void> {
    for (const forget of this.#forget) forget();
    this.dismiss(reason);
    await this.#ending;
  }

  #schedule(): void {
    this.#cancel();
    if (this.#task) return;
    const { clock, hub, stream } = this.#options;
    this.#cancel = clock.after(this.settings.afterMs, () => {
      // Somebody else publishes the stream.
      if (hub.get(stream)?.state === 'live') return this.#schedule();
      void this.#ending.then(() => {
        if (this.#lost && !this.#task) this.#begin();
      });
    });
  }

  #begin(): void {
    const { stream, start, onState } = this.#options;
    const { path, within } = this.settings;
    const asked = { stream, path, ...(within ? { within } : {}), like: this.#like };
    const task = start(asked, ({ state }) => {
      if (this.#task !== task) return;
      if (state === 'done' || state === 'stopped') {
        this.#task = undefined;
        this.#since = this.#options.clock.now();
        if (this.#lost) this.#schedule();
      }
      onState(this.status);
    });
    this.#task = task;
    onState(this.status);
  }

  #stop(reason: string): void {
    const task = this.#task;
    this.#task = undefined;
    if (!task) return;
    this.#since = this.#options.clock.now();
    const before = this.#ending;
    this.#ending = task.stop(reason).then(() => before);
    this.#options.onState(this.status);
  }
}
