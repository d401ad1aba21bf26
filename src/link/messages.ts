import type { Device } from '#media/device.ts';
import type { JpegPicture } from '#media/jpeg-picture.ts';
import type { FileKind } from '#media/outputs.ts';
import type { RenditionRequest } from '#media/rendition-request.ts';
import type { Track } from '#media/track.ts';
import type { TrackReport } from '#media/track-report.ts';

/**
 * What travels on a link, beside access units: JSON text messages. The worker connects to
 * `ws://<hub>/api/link?token=…` and says `hello`; then either side speaks when it has something to say.
 *
 * Access units are binary messages (framing.ts) that name a channel: a `subscription` towards the worker, a
 * `publication` towards the hub. Pictures (picture.ts) are binary too, and name their task. Buffers inside JSON (parameter sets, configurations) are base64, see framing.ts.
 * Channel numbers are chosen by the worker and unique within one link, both kinds
 * together.
 */

/**
 * Which part of a stream a source brings: `fill` the kinds of media that its first source does not have, `standby` what is
 * shown while that is gone; where nothing is said, all of it.
 */
export type Part = 'fill' | 'standby';

/** Pictures that an algorithm looked at are wanted as JPEG. */
export interface FrameWish {
  readonly quality: number;
  readonly width?: number | undefined;
  readonly fps?: number | undefined;
  readonly boxes: boolean;
}

/** A file that is to be written. */
export interface FileTarget {
  readonly container: FileKind;
  readonly path: string;
  /** Write over one that is there, which is an error otherwise. */
  readonly overwrite?: true;
}

/**
 * Where packed media go: as MPEG-TS to an address (srt, udp), which with `guard` may not lead to this machine, its cable
 * or its cloud; or into a file.
 */
export type MuxedTarget = { readonly url: string; readonly guard?: true } | FileTarget;

/** What a task that packs a stream says of itself now and then; counted from its beginning. */
export interface SinkStatistics {
  readonly bytesSent: number;
  /** Media that were written. */
  readonly timeMs: number;
  /** Pictures that were left out because the other side, or the disk, was too slow. */
  readonly dropped: number;
}

/** How far a conversion is. */
export interface ConversionStatistics {
  /** Media that were written. */
  readonly timeMs: number;
  /** Of the whole input, where it is known. */
  readonly durationMs?: number;
  /** Media time by time: 2 is twice as fast as it plays. */
  readonly speed: number;
  /** Pictures written a second, of the last while. */
  readonly fps: number;
  /** Bits per media second, on average. */
  readonly bitRate: number;
  readonly bytesSent: number;
}

/** What a worker is asked to do. `epoch` grows with every restart of a task; what carries an older one is ignored. */
export type TaskSpec =
  /**
   * Publish a file as stream `stream`, at real-time pace, keeping its timestamps. The files of a folder follow each
   * other in the order of their names; a picture stands still. With `within`, what is read has to be in one of these
   * folders, links followed.
   */
  | {
      readonly kind: 'file-source';
      readonly stream: string;
      readonly path: string;
      readonly loop: boolean;
      readonly part?: Part;
      readonly within?: readonly string[];
    }
  /**
   * Publish what comes from `url` (http, https, srt, udp), with its timestamps, until it ends or is silent. With `guard`,
   * nothing may lead to this machine, its cable or its cloud. `trust`: how certificates of `https` servers are judged.
   */
  | {
      readonly kind: 'network-source';
      readonly stream: string;
      readonly url: string;
      readonly part?: Part;
      readonly guard?: true;
      readonly trust?: { readonly fingerprint?: string | undefined; readonly insecure?: boolean | undefined };
    }
  /**
   * Publish what a device of this machine gives, encoded, with the times of its capture; `address` is how people name it.
   * With `forbidden`, it is refused: whoever gave it may not lead to this machine.
   */
  | {
      readonly kind: 'device-source';
      readonly stream: string;
      readonly device: Device;
      readonly address: string;
      readonly forbidden?: true;
      readonly part?: Part;
    }
  /** Publish a moving test picture with sound. */
  | { readonly kind: 'test-source'; readonly stream: string; readonly part?: Part }
  /**
   * Publish a picture or a clip, over and over, in place of a source that is gone: in the codecs and the size of its
   * tracks, `like`, so that readers go on. With `within`, it has to be in one of these folders, links followed.
   */
  | {
      readonly kind: 'standby';
      readonly stream: string;
      readonly path: string;
      readonly within?: readonly string[];
      readonly like: readonly Track[];
      readonly part: 'standby';
    }
  /**
   * Run an algorithm on a stream; `manifest` is the path of the algorithm's manifest file. With `frames`, which may change
   * on the way, the pictures that were looked at come as JPEG too (picture.ts): `quality` as libjpeg counts, `width` pixels
   * wide or as they are, `fps` a second at most, with `boxes` what was found is drawn on them.
   */
  | {
      readonly kind: 'run';
      readonly run: string;
      readonly stream: string;
      readonly algorithm: string;
      readonly manifest: string;
      readonly parameters: Readonly<Record<string, unknown>>;
      readonly frames?: FrameWish;
    }
  /** Make track `track` of the stream what is requested, available as the track `id`. */
  | {
      readonly kind: 'rendition';
      readonly stream: string;
      readonly track: number;
      readonly id: number;
      readonly request: RenditionRequest;
    }
  /** Pictures of a stream as JPEG (picture.ts), `width` pixels wide or as they are: `fps` a second; without it one keyframe. */
  | { readonly kind: 'pictures'; readonly stream: string; readonly width?: number; readonly fps?: number }
  /** Pack these tracks of a stream and write them, until either ends; reports {@link SinkStatistics}. */
  | {
      readonly kind: 'muxed-sink';
      readonly stream: string;
      readonly tracks: readonly number[];
      readonly to: MuxedTarget;
    }
  /**
   * Make a file (or a picture, or the test picture `testsrc`) another file, as fast as it goes; reports
   * {@link ConversionStatistics}. Ends with the input, or after `seconds` of it. A kind of media that nothing is said of
   * is copied where the file can carry it.
   */
  | {
      readonly kind: 'convert';
      readonly input: string;
      /** Folders that the input has to be in, links followed, and may name no other file from; absent: any. */
      readonly within?: readonly string[];
      readonly output: FileTarget;
      readonly video?: RenditionRequest | 'none';
      readonly audio?: RenditionRequest | 'none';
      readonly seconds?: number;
    }
  /** Open an input, say what is in it (a `task.done` with a ProbeReport), and end. */
  | { readonly kind: 'probe'; readonly input: string };

export interface Task {
  readonly id: string;
  readonly epoch: number;
  readonly spec: TaskSpec;
}

/** What `probe` found. Times in seconds. */
export interface ProbeReport {
  readonly container: string;
  readonly duration?: number;
  readonly tracks: readonly TrackReport[];
}

export type TaskState = 'starting' | 'running' | 'waiting' | 'failed' | 'done';

/** What a running task is told: what a run found (a Result), or the picture that it made of one. */
export type TaskInput =
  | { readonly kind: 'result'; readonly result: unknown }
  | { readonly kind: 'picture'; readonly picture: JpegPicture };

export type HubToWorker =
  | { readonly type: 'task.start'; readonly task: Task }
  | { readonly type: 'task.stop'; readonly task: string }
  /** The task goes on with another spec, which differs in what can change on the way. */
  | { readonly type: 'task.amend'; readonly task: string; readonly spec: TaskSpec }
  /** What a run found, for a task that draws it (`burnIn` of a rendition): a Result (opaque to the link). */
  | { readonly type: 'task.result'; readonly task: string; readonly epoch: number; readonly result: unknown }
  /** Answer to `subscribe`, again whenever a track's format changed (before its first access unit). */
  | { readonly type: 'tracks'; readonly subscription: number; readonly tracks: readonly Track[] }
  /** The subscription is over: the stream ended, or there is none of that name. */
  | { readonly type: 'end'; readonly subscription: number; readonly reason: string }
  /** The publication is over: replaced, refused, or the stream was closed. */
  | { readonly type: 'unpublished'; readonly publication: number; readonly reason: string }
  /** A reader of the rendition needs a keyframe: the next picture is to be one. */
  | { readonly type: 'keyframe'; readonly publication: number }
  | { readonly type: 'ping'; readonly sequence: number };

/** Which tracks of a stream are wanted; those that meet every field given, so without fields all of them. */
export interface Selection {
  readonly tracks?: readonly number[];
  readonly kind?: 'video' | 'audio';
}

/** What a worker wants next of a subscription whose units are held until they are wanted (`held`). */
export interface Want {
  /**
   * Nothing before there is a picture of this time or later (ticks of the track); what decodes up to it comes with it.
   * Absent: the newest picture there is, or the next one.
   */
  readonly pts?: number;
  /** A keyframe will do, and nothing but a keyframe. */
  readonly keyframe?: true;
  /** Everything as it comes, until something else is wanted. */
  readonly all?: true;
}

export type WorkerToHub =
  | { readonly type: 'hello'; readonly worker: string; readonly pid: number }
  | {
      readonly type: 'task.state';
      readonly task: string;
      readonly epoch: number;
      readonly state: TaskState;
      /** Why, in a sentence; always there for `waiting` and `failed`. */
      readonly reason?: string;
      readonly code?: string;
      /** With `done`: what the task was to find out. */
      readonly report?: ProbeReport;
    }
  /** Anything the task found: a Result of the algorithms (opaque to the link). */
  | { readonly type: 'task.result'; readonly task: string; readonly epoch: number; readonly result: unknown }
  | {
      readonly type: 'task.statistics';
      readonly task: string;
      readonly epoch: number;
      readonly statistics: unknown;
    }
  /** Wants the access units of a stream, from its last keyframe on; with `held` those of the first track, by `want`. */
  | ({
      readonly type: 'subscribe';
      readonly subscription: number;
      readonly stream: string;
      readonly held?: true;
    } & Selection)
  /** Takes the place of what was wanted before; met once, unless `all` is wanted. */
  | ({ readonly type: 'want'; readonly subscription: number } & Want)
  | { readonly type: 'unsubscribe'; readonly subscription: number }
  /**
   * Begins to publish `stream`, or, with `rendition`, tracks that are made from a stream's own. Again with the same
   * number: a track's format changed.
   */
  | {
      readonly type: 'publish';
      readonly publication: number;
      readonly task: string;
      readonly epoch: number;
      readonly stream: string;
      readonly tracks: readonly Track[];
      readonly rendition?: { readonly of: number };
      readonly part?: Part;
    }
  | { readonly type: 'unpublish'; readonly publication: number; readonly reason: string }
  | { readonly type: 'pong'; readonly sequence: number; readonly rssBytes: number }
  | { readonly type: 'log'; readonly level: 'debug' | 'info' | 'warn' | 'error'; readonly message: string };
