import type { Clock } from '#util/clock.ts';

/** So many crashes within {@link WINDOW_MS} make suspects of the tasks that were at work in all of them. */
const CRASHES = 3;
const WINDOW_MS = 60_000;

/** The latest crashes of a worker, and which tasks were at work in each. */
export class CrashHistory {
  readonly #clock: Clock;
  #crashes: { readonly at: number; readonly tasks: readonly string[] }[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * Notes a crash.
   * @returns the tasks that were at work in each of the last three crashes, when those came within 60 s; else none
   */
  add(tasks: readonly string[]): readonly string[] {
    const at = this.#clock.now();
    this.#crashes = [...this.#crashes.filter((crash) => at - crash.at < WINDOW_MS), { at, tasks }];
    const last = this.#crashes.slice(-CRASHES);
    return last.length < CRASHES ? [] : tasks.filter((id) => last.every((crash) => crash.tasks.includes(id)));
  }

  /** Begins anew: the suspects were dealt with. */
  forget(): void {
    this.#crashes = [];
  }
}

/** What {@link selectSuspects} has to know of a task. */
export interface Suspect {
  readonly request: { readonly affinity: string };
}

/**
 * Of several suspects (in the order in which they were started), those to be moved to a worker of their own: the newer
 * half, because a worker that ran well before they came points at them. Tasks of one stream crash by the same bytes
 * and stay together as long as there are others; then they are told apart too. Crash by crash this ends at the one
 * task that is guilty. A single suspect is selected itself.
 */
export function selectSuspects<S extends Suspect>(suspects: readonly S[]): readonly S[] {
  if (suspects.length < 2) return suspects;
  const groups = Map.groupBy(suspects, ({ request }) => request.affinity);
  const units = groups.size > 1 ? [...groups.values()] : suspects.map((suspect) => [suspect]);
  return units.slice(Math.ceil(units.length / 2)).flat();
}
