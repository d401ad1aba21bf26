/**
 * What an algorithm is to the rest of Sluice: a manifest that says what it wants and gives, and an adapter that looks
 * at one frame at a time. Adapters: an ONNX model file (`onnx/`), a TypeScript plug-in, HTTP services.
 */

export type PixelFormat = 'rgb24' | 'bgr24' | 'gray8';
/** Pixels, or a whole picture coded, for who sends it on. */
export type FrameFormat = PixelFormat | 'jpeg';

/** How the frame is to be scaled for the algorithm. Width and height are pixels. */
export type FrameSize =
  | { readonly kind: 'source' }
  | { readonly kind: 'fixed'; readonly width: number; readonly height: number }
  /** Width as given, height after the picture's aspect ratio, both rounded up to a multiple of `multiple`. */
  | { readonly kind: 'aspect'; readonly width: number; readonly multiple: number };

export interface Manifest {
  readonly schema: 1;
  /** `[a-z0-9-]+`; how runs, the page and the API name the algorithm. */
  readonly id: string;
  readonly version: string;
  /** What people read, by language; `en` is always there. */
  readonly title: { readonly en: string; readonly [language: string]: string };
  readonly task: 'detect' | 'classify' | 'inspect';
  readonly input: { readonly size: FrameSize; readonly format: FrameFormat };
  /** Every label the algorithm can give; empty where it is open. */
  readonly labels: readonly string[];
  /** JSON Schema (draft 2020-12) of an object; every property has a default. */
  readonly parameters: JsonSchemaObject;
  readonly licence: string;
  readonly adapter: Adapter;
  /** Objects are followed from frame to frame and get an `id`. Default true for `detect`. */
  readonly track?: boolean;
  /** How its process is to be treated. */
  readonly runtime?: {
    /**
     * Longest time for one frame, ms; then the process is killed and started again. Default: 20 times what 95 of 100
     * frames took, at least 5 s; 30 s for the first ten frames.
     */
    readonly frameTimeoutMs?: number;
  };
}

export type Adapter =
  /** `file` is relative to the manifest. */
  | { readonly kind: 'onnx'; readonly file: string; readonly decoder: 'nanodet'; readonly sha256?: string }
  /** A module whose default export is an {@link AlgorithmFactory}; `file` is relative to the manifest. */
  | { readonly kind: 'plugin'; readonly file: string }
  | HttpAdapter;

/** A service on this or another machine, which is sent JPEGs (`input.format`). */
export interface HttpAdapter {
  readonly kind: 'http';
  /** `legacy`: a form with a picture in base64, see `http/legacy.ts`. */
  readonly service: 'legacy';
  /** `http://` or `https://`; user and password may stand in it. */
  readonly url: string;
  /** Longest time for one frame, ms; default 10 000. */
  readonly timeoutMs?: number;
}

export interface JsonSchemaObject {
  readonly type: 'object';
  readonly properties: Readonly<Record<string, JsonSchemaProperty>>;
  readonly additionalProperties: false;
}

export interface JsonSchemaProperty {
  readonly type: 'number' | 'integer' | 'string' | 'boolean' | 'array';
  readonly title?: string;
  readonly description?: string;
  readonly default: unknown;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly enum?: readonly unknown[];
  readonly items?: { readonly type: 'string' | 'number'; readonly enum?: readonly unknown[] };
}

/** Values for a manifest's parameters, complete (defaults filled in) and checked against the schema. */
export type Parameters = Readonly<Record<string, unknown>>;

/** Parameters that every algorithm has, beside its own. */
export const commonParameters = {
  fps: {
    type: 'number',
    title: 'Frames per second',
    description: 'At most so many frames per second of the stream are looked at; 0 means as many as it can.',
    default: 5,
    minimum: 0,
    maximum: 60,
  },
  mode: {
    type: 'string',
    title: 'Which frames',
    description:
      'freshest: always the latest frame, older ones are skipped; every: each frame in order, skipped only beyond a bounded queue; keyframes: only frames that decode without others, the cheapest by far. freshest does the same by itself where fps asks for no more frames than there are keyframes.',
    default: 'freshest',
    enum: ['freshest', 'every', 'keyframes'],
  },
  maxAge: {
    type: 'number',
    title: 'Oldest result, ms',
    description: 'A result that comes later than this after its frame was captured is dropped and counted.',
    default: 10_000,
    minimum: 100,
    maximum: 60_000,
  },
} as const satisfies Record<string, JsonSchemaProperty>;

/** One picture as the algorithm gets it: packed rows without padding, or a JPEG. */
export interface Frame {
  readonly width: number;
  readonly height: number;
  readonly format: FrameFormat;
  /** Of pixels: `width * height * (format === 'gray8' ? 1 : 3)` bytes. */
  readonly data: Uint8Array;
  /** Size of the picture before scaling, in pixels. */
  readonly sourceWidth: number;
  readonly sourceHeight: number;
  /** Timestamp of the picture in 90 kHz ticks of the stream; results carry it back. */
  readonly pts: number;
  readonly ntp: number;
}

/** [x, y, width, height] as shares of the picture, 0..1, from the top left. */
export type Box = readonly [number, number, number, number];

/** What an adapter saw, before tracking. */
export interface Detection {
  readonly label: string;
  /** 0..1 */
  readonly score: number;
  readonly box: Box;
  readonly attributes?: Readonly<Record<string, unknown>>;
}

export interface Findings {
  readonly objects: readonly Detection[];
  /** Something about the picture as a whole (a class, a count, a code). */
  readonly state?: unknown;
  /** The picture as the algorithm wants it to be seen, a JPEG of any size. */
  readonly picture?: Uint8Array;
}

export interface Context {
  readonly parameters: Parameters;
  /**
   * Detections down to this score are wanted. Where objects are followed it is lower than the `threshold` of the
   * parameters: weak detections keep objects that are known already, and make no new ones.
   */
  readonly minimumScore: number;
}

/** One loaded algorithm. It may keep state; it sees one frame at a time, unless it says otherwise. */
export interface Algorithm extends AsyncDisposable {
  /** It takes frames of several runs at a time, one of each. */
  readonly isConcurrent?: boolean;
  detect(frame: Frame, context: Context): Findings | Promise<Findings>;
}

export type AlgorithmFactory = (manifest: Manifest) => Algorithm | Promise<Algorithm>;

/** An object in a result: a detection with the identity the tracker gave it. */
export interface ResultObject extends Detection {
  /** Identity of the tracked object within its run; absent where objects are not followed. */
  readonly id?: number;
  /** True where the algorithm saw it on this very frame. */
  readonly observed: boolean;
  readonly zones?: readonly string[];
}

/** What an algorithm saw on one frame. */
export interface Result {
  readonly stream: string;
  readonly algorithm: string;
  readonly run: string;
  /** The frame's timestamp in 90 kHz ticks: equal to the `pts` of its access unit, its RTP time and its fMP4 time. */
  readonly pts: number;
  /** Capture wall clock of the frame, ms since 1970. */
  readonly ntp: number;
  /** Size of the picture the boxes belong to, in pixels. */
  readonly width: number;
  readonly height: number;
  readonly objects: readonly ResultObject[];
  readonly state?: unknown;
  /** Milliseconds the frame waited for the algorithm, and the algorithm took. */
  readonly timing: { readonly queueMs: number; readonly inferMs: number };
}

/** Counters of a run since it started. */
export interface RunStatistics {
  /** Pictures of the stream that the run could have looked at. */
  readonly offered: number;
  readonly inferred: number;
  /** Offered but passed over, because the algorithm was busy or `fps` asked for fewer. */
  readonly skipped: number;
  /** Results that came after `maxAge` and were dropped. */
  readonly expired: number;
  /** Frames on which the algorithm failed. */
  readonly failed: number;
  /** Age of results when they left the worker, against the arrival of their frame there; milliseconds; last 200. */
  readonly resultAgeMs: { readonly p50: number; readonly p95: number };
  readonly inferMs: { readonly p50: number; readonly p95: number };
  /** Pictures that were decoded for this stream in this worker since the decoder started. */
  readonly decoded: number;
}
