import { randomUUID } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { type Clock, systemClock } from '#util/clock.ts';
import { type StartGroup, startGroup } from './command.ts';
import type { EventType, HookEvent } from './event.ts';
import { Hook, type HookInfo, type HookSettings } from './hook.ts';

const BEGAN_WITH: Readonly<Partial<Record<EventType, EventType>>> = { unpublish: 'publish', unread: 'read' };

/** How long the end of the server waits for deliveries and commands. */
const FAREWELL_MS = 1500;

/** Tells others what happens to streams, as the configuration wants it. */
export class Hooks {
  readonly #parts: ConstructorParameters<typeof Hook>[1];
  #hooks: Hook[] = [];
  /** What began and has not ended, so that a hook that is new finds it: publishers and readers of each stream. */
  readonly #lasting = new Map<string, HookEvent[]>();
  /** Ends of hooks that were taken out. */
  readonly #ending = new Set<Promise<void>>();

  constructor(options: {
    settings: readonly HookSettings[];
    log: (level: 'info' | 'warn', message: string) => void;
    clock?: Clock;
    start?: StartGroup;
  }) {
    const { log, clock = systemClock, start = startGroup } = options;
    this.#parts = { log, clock, start };
    this.configure(options.settings);
  }

  list(): HookInfo[] {
    return this.#hooks.map(({ info }) => info);
  }

  /** Goes on with these hooks: one that is the same as before keeps its queue and its commands. */
  configure(settings: readonly HookSettings[]): void {
    const free = [...this.#hooks];
    this.#hooks = settings.map((wanted) => {
      const same = free.findIndex((hook) => isDeepStrictEqual(hook.settings, wanted));
      return same < 0 ? this.#begin(wanted) : free.splice(same, 1)[0]!;
    });
    for (const gone of free) {
      const ending = gone.close(FAREWELL_MS).finally(() => this.#ending.delete(ending));
      this.#ending.add(ending);
    }
  }

  /** Something happened; who wants to know is told. Never waits. */
  tell(event: Omit<HookEvent, 'id' | 'time'>): void {
    const whole = { id: randomUUID(), time: new Date(this.#parts.clock.now()).toISOString(), ...event };
    this.#remember(whole);
    for (const hook of this.#hooks) hook.take(whole);
  }

  /** What waits is tried once more, within 1.5 s, and commands are ended. */
  async close(): Promise<void> {
    await Promise.all([...this.#hooks.map((hook) => hook.close(FAREWELL_MS)), ...this.#ending]);
  }

  #begin(settings: HookSettings): Hook {
    const hook = new Hook(settings, this.#parts);
    for (const event of [...this.#lasting.values()].flat()) hook.resume(event);
    return hook;
  }

  #remember(event: HookEvent): void {
    const begun = BEGAN_WITH[event.type];
    const key = `${begun ?? event.type} ${event.stream}`;
    const events = this.#lasting.get(key) ?? [];
    if (event.type === 'publish' || event.type === 'read') events.push(event);
    else if (begun) events.shift();
    if (events.length > 0) this.#lasting.set(key, events);
    else this.#lasting.delete(key);
  }
}
