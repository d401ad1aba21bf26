import type { RenditionRequest } from './rendition.ts';

/** Tracks that a composition takes of one stream. */
export interface CompositionPart {
  /** Name of a stream of the hub; one that comes on demand is wanted as long as the composition is there. */
  readonly stream: string;
  /** Undefined: all of it. */
  readonly kind?: 'video' | 'audio';
  /** What its tracks are made, by kind; undefined: they are copied. A track that is so already is copied as well. */
  readonly rendition?: { readonly video?: RenditionRequest; readonly audio?: RenditionRequest };
  /** Added to its capture times, ms: with 40 it is heard (or seen) 40 ms later. */
  readonly offsetMs?: number;
}

/** A stream that is put together from tracks of other streams, in step. */
export interface CompositionSpec {
  /** Under which it is published. */
  readonly name: string;
  /** At least one. Where their clocks differ, that of the first one with a picture counts. */
  readonly parts: readonly CompositionPart[];
  /**
   * After so many ms it begins with the parts that are there, and takes in the others when they come. Undefined: it
   * begins when all are there.
   */
  readonly beginMs?: number;
  /** How long a unit waits at most for those of a slower part, ms; default 6000. */
  readonly holdMs?: number;
  /** How many bytes wait at most; default 32 MiB. */
  readonly holdBytes?: number;
}

export interface CompositionPartStatus {
  readonly stream: string;
  readonly kind?: 'video' | 'audio';
  /** `missing`: it is not there (yet). `held`: its publisher is gone, and may come back. `running`: it brings units. */
  readonly state: 'missing' | 'held' | 'running' | 'failed';
  /** Why it is not running, in a sentence. */
  readonly reason?: string;
  /**
   * How its capture times became those of the composition: `same`, both are of one clock, or show the same time by
   * sender reports; `arrival`, what came at the same time belongs together. Undefined while nothing came.
   */
  readonly alignment?: 'same' | 'arrival';
  /** From capture to arrival as the composition's clock shows it, the longest of late, ms; only differences mean something. */
  readonly delayMs?: number;
  readonly units: number;
  readonly bytes: number;
  /** Units that came when later ones of the other parts had left already: they leave out of order. */
  readonly late: number;
  /** Units that were of no use: older than what has left, or before a keyframe. */
  readonly discarded: number;
}

export interface CompositionStatus {
  readonly name: string;
  /**
   * `waiting`: for its parts, or for its name to be free. `running`: it is published, perhaps without a part that is gone.
   * `failed`: one of its renditions cannot be made, or somebody else took its name.
   */
  readonly state: 'waiting' | 'running' | 'failed';
  /** Why it waits or failed, or what of it is not there, in a sentence. */
  readonly reason?: string;
  readonly code?: string;
  /** When the state began, ms since 1970. */
  readonly since: number;
  readonly parts: readonly CompositionPartStatus[];
  /** Units that wait for a slower part now: how many bytes, and since how many ms the oldest. */
  readonly waiting: { readonly bytes: number; readonly ms: number };
}
