import { isDeepStrictEqual } from 'node:util';
import type { Hub } from '#hub/hub.ts';
import { type Clock, systemClock } from '#util/clock.ts';
import type { OpenForward } from './contract.ts';
import { Forward, type ForwardSettings, type ForwardStatus } from './forward.ts';

export interface ForwardsOptions {
  readonly hub: Hub;
  /** How a forward of this address is begun; the configuration lets no other addresses in. */
  readonly opener: (url: string) => OpenForward;
  readonly onState: (status: ForwardStatus) => void;
  readonly clock?: Clock;
  /** Random numbers in [0, 1) of the back-offs; a test gives its own. */
  readonly random?: () => number;
}

const TAKEN_OUT = 'The forward was taken out of the configuration.';

/** The forwards that the configuration asks for: one for each stream and address. */
export class Forwards implements AsyncDisposable {
  readonly #options: ForwardsOptions;
  readonly #forwards = new Map<string, Forward>();
  /** Ends of forwards that were taken out or changed, by key: the next one of that key waits for it. */
  readonly #ending = new Map<string, Promise<void>>();
  readonly #listeners: readonly (() => void)[];
  #wanted: ReadonlyMap<string, ForwardSettings> = new Map();
  #closed = false;

  constructor(settings: readonly ForwardSettings[], options: ForwardsOptions) {
    this.#options = options;
    const look = ({ name }: { readonly name: string }) => {
      for (const forward of this.#forwards.values()) if (forward.settings.stream === name) forward.look();
    };
    const { events } = options.hub;
    this.#listeners = [
      events.on('streamAdded', look),
      events.on('streamRemoved', look),
      events.on('streamChanged', look),
    ];
    this.apply(settings);
  }

  list(): ForwardStatus[] {
    return [...this.#forwards.values()].map((forward) => forward.status);
  }

  /** Goes on with these: begins what is new, ends what is gone, and begins anew what is not what it was. */
  apply(settings: readonly ForwardSettings[]): void {
    this.#wanted = new Map(settings.map((one) => [`${one.stream} ${one.url}`, one]));
    for (const [key, forward] of this.#forwards) {
      if (!isDeepStrictEqual(this.#wanted.get(key), forward.settings)) this.#remove(key, forward);
    }
    for (const key of this.#wanted.keys()) this.#add(key);
  }

  /** Ends all; resolves when nothing of them is left. Idempotent. */
  async close(reason: string): Promise<void> {
    this.#closed = true;
    for (const off of this.#listeners) off();
    for (const [key, forward] of this.#forwards) this.#remove(key, forward, reason);
    await Promise.all(this.#ending.values());
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close('The server stops.');
  }

  #add(key: string): void {
    const settings = this.#wanted.get(key);
    if (!settings || this.#closed || this.#forwards.has(key) || this.#ending.has(key)) return;
    const { hub, opener, onState, clock = systemClock, random } = this.#options;
    this.#forwards.set(
      key,
      new Forward(settings, { hub, clock, onState, random, open: opener(settings.url) }),
    );
  }

  #remove(key: string, forward: Forward, reason = TAKEN_OUT): void {
    this.#forwards.delete(key);
    const ending = forward.close(reason).then(() => {
      this.#ending.delete(key);
      this.#add(key);
    });
    this.#ending.set(key, ending);
  }
}
