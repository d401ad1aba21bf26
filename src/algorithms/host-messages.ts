import type { Frame, Manifest, Parameters, ResultObject } from './contract.ts';

/**
 * Messages between the process that has the frames and an algorithm host: `child_process.fork` with
 * `serialization: 'advanced'`, so that pixels travel as bytes. A host serves one algorithm and any number of runs of
 * it; it answers frames in the order they come. Boxes and ids are final: tracking happens in the host.
 */
export type ToHost =
  | { readonly type: 'open'; readonly run: string; readonly parameters: Parameters }
  | { readonly type: 'close'; readonly run: string }
  | { readonly type: 'frame'; readonly run: string; readonly sequence: number; readonly frame: Frame }
  | { readonly type: 'ping'; readonly sequence: number };

export type FromHost =
  /** The algorithm is loaded and frames may come. `rssBytes` is the memory of the process. */
  | { readonly type: 'ready'; readonly manifest: Manifest }
  | { readonly type: 'failed'; readonly code: string; readonly message: string }
  | {
      readonly type: 'found';
      readonly run: string;
      readonly sequence: number;
      readonly objects: readonly ResultObject[];
      readonly state?: unknown;
      readonly inferMs: number;
    }
  | { readonly type: 'error'; readonly run: string; readonly sequence: number; readonly message: string }
  | { readonly type: 'pong'; readonly sequence: number; readonly rssBytes: number };
