import type { Rung } from './ladder.ts';
import type { RunningSource } from './running-source.ts';
import type { PlayerSource } from './source.ts';

/** The sources at work, at most one for each rung: the one that plays and those that are tried. */
export class RunningSources {
  readonly #byRung = new Map<Rung, RunningSource>();
  readonly #open: (rung: Rung) => RunningSource;

  constructor(open: (rung: Rung) => RunningSource) {
    this.#open = open;
  }

  get(rung: Rung | undefined): RunningSource | undefined {
    return rung && this.#byRung.get(rung);
  }

  /** Opens and closes sources until there is one for each of these rungs, and no other. */
  follow(rungs: readonly Rung[]): void {
    for (const rung of [...this.#byRung.keys()]) if (!rungs.includes(rung)) this.drop(rung);
    for (const rung of rungs) if (!this.#byRung.has(rung)) this.#byRung.set(rung, this.#open(rung));
  }

  drop(rung: Rung): void {
    const dropped = this.#byRung.get(rung);
    this.#byRung.delete(rung);
    dropped?.close();
  }

  /** Without a rung: all. */
  dropAllBut(kept?: Rung): void {
    for (const rung of [...this.#byRung.keys()]) if (rung !== kept) this.drop(rung);
  }

  *[Symbol.iterator](): Generator<PlayerSource> {
    for (const { source } of this.#byRung.values()) yield source;
  }
}
