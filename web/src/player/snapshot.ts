import type { Result } from '#algorithms/contract.ts';
import type { DrawnBox } from '#algorithms/overlay/boxes.ts';
import type { Rung, Setback } from './ladder.ts';
import type { RunInfo, TrackInfo, UnsupportedTrack } from './protocol.ts';
import type { SourceState } from './source.ts';

/** The event `sluice:frame` on the player's host element: fired in the same task, after a frame and its boxes were drawn. */
export interface FrameEventDetail {
  /** The frame's timestamp, 90 kHz ticks. */
  readonly pts: number;
  /** The result that was computed from this very frame; the first where several algorithms looked at it. */
  readonly measured?: Result;
  readonly drawn: readonly DrawnBox[];
  readonly canvas: HTMLCanvasElement;
}

export type PlayerPhase = 'connecting' | 'live' | 'behind' | 'held' | 'lost' | 'failed';

/** What the page shows of a player; a new object whenever something in it changed. */
export interface PlayerSnapshot {
  readonly phase: PlayerPhase;
  readonly source: SourceState;
  /** The way by which what is seen comes; undefined while nothing plays. */
  readonly rung: Rung | undefined;
  /** Ways that are being tried. */
  readonly trying: readonly Rung[];
  /** Why no better way is taken, best first. */
  readonly setbacks: readonly { readonly rung: Rung; readonly setback: Setback }[];
  /** No way can play this stream here. */
  readonly isExhausted: boolean;
  /** True once a picture was drawn. */
  readonly picture: boolean;
  /** Width to height of the picture as it is shown; undefined before there is one. */
  readonly ratio: number | undefined;
  /** Frames drawn per second. */
  readonly fps: number;
  /** Distance from the live edge, ms; undefined before playback. */
  readonly latencyMs: number | undefined;
  readonly targetMs: number;
  /** True where playback is about at its target distance. */
  readonly settled: boolean;
  readonly drops: {
    /** Left out by the server because this reader was too slow. */
    readonly video: number;
    readonly audio: number;
    /** Presented by the browser without the page having drawn them. */
    readonly page: number;
  };
  readonly results: {
    /** Per second, all algorithms. */
    readonly rate: number;
    /** How far behind the live edge their frames are when they arrive, ms. */
    readonly p50Ms: number | undefined;
    readonly p95Ms: number | undefined;
    /** Since the mode was chosen: results whose frame was due, and how many of them were drawn on it. */
    readonly due: number;
    readonly shown: number;
  };
  readonly runs: readonly RunInfo[];
  readonly tracks: readonly TrackInfo[];
  readonly unsupported: readonly UnsupportedTrack[];
  readonly muted: boolean;
  /** The browser refused sound without a click. */
  readonly soundBlocked: boolean;
  /** 0..1; undefined while muted or where it cannot be measured. */
  readonly level: number | undefined;
  readonly error: { readonly code: string; readonly message: string } | undefined;
}

/** So far beyond its target, in seconds, a player says that it is behind. */
const BEHIND_S = 1;

/**
 * The one word for what a player is doing.
 * @param playback `latency` and `target` in seconds; undefined while nothing plays
 * @param picture there is one to be seen, if only the last
 */
export function phaseOf(
  state: SourceState,
  playback: { readonly latency: number | undefined; readonly target: number } | undefined,
  picture: boolean,
): PlayerPhase {
  if (state.kind === 'gone') return 'failed';
  if (state.kind === 'held') return 'held';
  if (state.kind === 'lost' || (!playback && picture)) return picture ? 'lost' : 'connecting';
  if (state.kind !== 'open' || playback?.latency === undefined) return 'connecting';
  return playback.latency > playback.target + BEHIND_S ? 'behind' : 'live';
}
