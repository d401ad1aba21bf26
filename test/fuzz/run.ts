import fc from 'fast-check';
import { NamedError } from '#util/named-error.ts';
import { mutated } from './mutate.ts';

/** One parser, or door, that takes inputs from outside. */
export interface FuzzTarget {
  readonly name: string;
  /** Valid inputs, from our own builders. */
  seeds(): readonly Buffer[] | Promise<readonly Buffer[]>;
  /** What takes the inputs; made once for a run. */
  open(): FuzzSubject;
  /** Share of the inputs that is enough in the short run, for what takes long; default 1. */
  readonly share?: number;
}

export interface FuzzSubject {
  /** Takes one input; may throw a NamedError and nothing else. */
  take(input: Buffer): void | Promise<void>;
  close?(): void | Promise<void>;
}

export interface FuzzReport {
  readonly inputs: number;
  readonly ms: number;
  /** The slowest thousand inputs, ms. */
  readonly slowestThousand: number;
}

/** What a thousand inputs may take, ms: thousands of times what they need, so that a busy machine is no failure. */
const THOUSAND_MS = 20_000;

/**
 * Gives a target so many mutated inputs, the same in every run with the same seed. Throws with the smallest input that
 * crashed it, or that a thousand inputs took too long.
 */
export async function fuzz(target: FuzzTarget, inputs: number, seed = 1): Promise<FuzzReport> {
  const seeds = await target.seeds();
  const subject = target.open();
  let taken = 0;
  let batch = 0;
  let total = 0;
  let slowest = 0;
  try {
    for (const one of seeds) await take(subject, one);
    const property = fc.asyncProperty(mutated(seeds), async (input) => {
      const began = performance.now();
      await take(subject, input);
      const spent = performance.now() - began;
      total += spent;
      batch += spent;
      if (++taken % 1000 !== 0) return;
      slowest = Math.max(slowest, batch);
      if (batch > THOUSAND_MS) throw new Error(`A thousand inputs took ${Math.round(batch)} ms.`);
      batch = 0;
    });
    await fc.assert(property, { seed, numRuns: inputs });
    return { inputs, ms: total, slowestThousand: Math.max(slowest, batch) };
  } finally {
    await subject.close?.();
  }
}

async function take(subject: FuzzSubject, input: Buffer): Promise<void> {
  try {
    await subject.take(input);
  } catch (error) {
    if (!(error instanceof NamedError)) throw error;
  }
}
