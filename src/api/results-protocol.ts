import type { RunInfo } from '#cameras/contract.ts';

/**
 * What the server says to viewers over the WebSocket `/<stream>/results` and over the data channel `results` of WebRTC. Both take their types from here, so this file imports
 * nothing but types.
 */

/** A run as one viewer sees it. */
export interface ViewerRun
  extends Pick<
    RunInfo,
    'id' | 'stream' | 'algorithm' | 'title' | 'state' | 'reason' | 'code' | 'parameters' | 'statistics'
  > {
  /** How many hold it. */
  readonly leases: number;
  /** True where this viewer has a lease on it. */
  readonly mine: boolean;
}

/**
 * `R` is the result of an algorithm, which the server hands on as it comes from the bus. `rtpTimestamp` is that of its
 * picture over WebRTC: what `requestVideoFrameCallback` tells of the frame, 32 bits of 90 kHz.
 */
export type ResultsMessage<R> =
  | { readonly type: 'hello'; readonly viewer: string }
  | { readonly type: 'runs'; readonly runs: readonly ViewerRun[] }
  | { readonly type: 'result'; readonly result: R; readonly rtpTimestamp: number }
  | { readonly type: 'error'; readonly code: string; readonly message: string };
