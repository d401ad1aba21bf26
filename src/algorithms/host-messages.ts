import type { Frame, Manifest, Parameters, ResultObject } from './contract.ts';

/**
 * Messages between the process that has the frames and an algorithm host: `child_process.fork` with
 * `serialization: 'advanced'`, so that pixels travel as bytes. A host serves one algorithm and any number of runs of
 * it; it answers frames in the order they come. Boxes and ids are final: tracking happens in the host.
 */
export type ToHost =
  /** Begins a run, or begins it anew with other parameters (complete, as `resolveParameters` gives them). */
  | { readonly type: 'open'; readonly run: string; readonly parameters: Parameters }
  | { readonly type: 'close'; readonly run: string }
  | { readonly type: 'frame'; readonly run: string; readonly sequence: number; readonly frame: Frame }
  | { readonly type: 'ping'; readonly sequence: number };

export type FromHost =
  /** The algorithm is loaded and frames may come. */
  | { readonly type: 'ready'; readonly manifest: Manifest }
  /** It cannot be loaded; the process ends. `code` as in NamedError. */
  | { readonly type: 'failed'; readonly code: string; readonly message: string }
  | {
      readonly type: 'found';
      readonly run: string;
      readonly sequence: number;
      readonly objects: readonly ResultObject[];
      readonly state?: unknown;
      /** A JPEG, where the algorithm gave one back. */
      readonly picture?: Uint8Array;
      readonly inferMs: number;
    }
  /** The algorithm failed on this frame; the next may come. */
  | { readonly type: 'error'; readonly run: string; readonly sequence: number; readonly message: string }
  /** `rssBytes` is the memory of the process. */
  | { readonly type: 'pong'; readonly sequence: number; readonly rssBytes: number };
