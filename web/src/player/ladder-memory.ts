import { RUNGS, type Rung, type Setback, type Standing } from './ladder.ts';

/** Where it is kept: `sessionStorage`, so that another day begins afresh. */
type Storage = Pick<globalThis.Storage, 'getItem' | 'setItem'>;

/** What holds for all streams of a server alike: the network between. */
const ofTheNetwork: ReadonlySet<Setback['kind']> = new Set(['udp', 'socket']);
/** What lasts as long as the stream's format is kept for so long, ms: meanwhile it may have changed unseen. */
const LASTING_MS = 600_000;
/** A wish of the moment, or the browser's nature, which is found out anew. */
const forgotten: ReadonlySet<Setback['kind']> = new Set(['missing', 'far', 'refused']);

/** Remembers in one tab which rungs failed on which stream, so that a page that is loaded again need not learn it again. */
export class LadderMemory {
  readonly #storage: Storage | undefined;

  constructor(storage: Storage | undefined) {
    this.#storage = storage;
  }

  /** @param now ms since 1970 */
  load(stream: string, now: number): Map<Rung, Standing> {
    const standings = new Map([...this.#read('*'), ...this.#read(stream)]);
    for (const [rung, { until }] of [...standings]) if (until <= now) standings.delete(rung);
    return standings;
  }

  save(stream: string, standings: ReadonlyMap<Rung, Standing>, now: number): void {
    const kept = [...standings]
      .filter(([, { setback, until }]) => until > now && !forgotten.has(setback.kind))
      .map(
        ([rung, standing]) =>
          [rung, { ...standing, until: Math.min(standing.until, now + LASTING_MS) }] as const,
      );
    const everywhere = kept.filter(([, { setback }]) => ofTheNetwork.has(setback.kind));
    this.#write('*', everywhere);
    this.#write(
      stream,
      kept.filter(([, { setback }]) => !ofTheNetwork.has(setback.kind)),
    );
  }

  #read(stream: string): [Rung, Standing][] {
    try {
      const value: unknown = JSON.parse(this.#storage?.getItem(key(stream)) ?? '[]');
      return Array.isArray(value) ? value.filter(isEntry) : [];
    } catch {
      return [];
    }
  }

  #write(stream: string, standings: readonly (readonly [Rung, Standing])[]): void {
    try {
      this.#storage?.setItem(key(stream), JSON.stringify(standings));
    } catch {
      // Not remembered, then.
    }
  }
}

function key(stream: string): string {
  return `sluice.rungs:${stream}`;
}

function isEntry(entry: unknown): entry is [Rung, Standing] {
  if (!Array.isArray(entry) || !RUNGS.includes(entry[0])) return false;
  const standing = entry[1] as Partial<Standing> | null;
  return (
    typeof standing?.until === 'number' &&
    typeof standing.failures === 'number' &&
    typeof standing.failedAt === 'number' &&
    typeof standing.setback?.kind === 'string'
  );
}

/** The tab's own storage; private windows may refuse it, which is no fault. */
export function tabStorage(): Storage | undefined {
  try {
    return globalThis.sessionStorage;
  } catch {
    return undefined;
  }
}
