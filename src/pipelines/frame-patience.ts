import type { Manifest } from '#algorithms/contract.ts';
import { DEFAULT_TIMEOUT_MS } from '#algorithms/http/legacy.ts';
import { Recent } from './run-counters.ts';

/** Until so many frames were looked at, what is usual is not known: the first ones load and compile. */
const LEARNING_FRAMES = 10;
const LEARNING_MS = 30_000;
const LEAST_MS = 5000;
/** How much longer than 95 of 100 frames one may take: a hang is not known by less, and no slow frame takes more. */
const FACTOR = 20;

/** A process that waits for a service gives up by itself first: it is killed only where it does not. */
const SERVICE_MARGIN_MS = 5000;

/** How long a frame may take by the manifest; undefined where nothing is said, and it has to be learned. */
export function frameTimeoutMs({ adapter, runtime }: Manifest): number | undefined {
  if (runtime?.frameTimeoutMs !== undefined || adapter.kind !== 'http') return runtime?.frameTimeoutMs;
  return (adapter.timeoutMs ?? DEFAULT_TIMEOUT_MS) + SERVICE_MARGIN_MS;
}

/** How long one frame may take an algorithm, learned from how long frames took. */
export class FramePatience {
  readonly #fixedMs: number | undefined;
  readonly #times = new Recent();
  #frames = 0;

  /** @param fixedMs what the manifest demands; nothing is learned then */
  constructor(fixedMs?: number) {
    this.#fixedMs = fixedMs;
  }

  /** A frame took so long, ms. */
  took(ms: number): void {
    this.#frames++;
    this.#times.add(ms);
  }

  get limitMs(): number {
    if (this.#fixedMs !== undefined) return this.#fixedMs;
    if (this.#frames < LEARNING_FRAMES) return LEARNING_MS;
    return Math.max(LEAST_MS, FACTOR * this.#times.percentiles.p95);
  }
}
