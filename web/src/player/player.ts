import type { Result } from '#algorithms/contract.ts';
import { LiveEdge, type PlaybackAction, type PlaybackSample, type Range } from './live-edge.ts';
import { MseSource, type SourceState } from './mse-source.ts';
import { boxesFor, type DrawnBox, type PlayMode } from './overlay.ts';
import { doorUrl, type RunInfo, type TrackInfo } from './protocol.ts';
import { Rate } from './rate.ts';
import { type FrameDrawn, Renderer } from './renderer.ts';
import { ResultDelays } from './result-delay.ts';
import { ResultStore } from './results.ts';
import { ResultsSource } from './results-source.ts';
import { type FrameEventDetail, type PlayerSnapshot, phaseOf } from './snapshot.ts';
import { Sound } from './sound.ts';
import { StepTarget } from './step-target.ts';

export interface PlayerOptions {
  readonly stream: string;
  readonly mode: PlayMode;
  /** Where the server is; the page's own location by default. */
  readonly location?: { readonly protocol: string; readonly host: string };
  readonly muted?: boolean;
  readonly label?: (label: string) => string;
}

/** The least distance from the live edge; uneven arrival asks for more. */
const LIVE_TARGET_S = 0.15;
const STEER_MS = 100;
const SNAPSHOT_MS = 250;
/** A hidden, silent player lets go of the stream after so long. */
const HIDDEN_MS = 20_000;
/** About at the target: what the live edge controller leaves alone, and a little. */
const SETTLED_S = 0.16;

/**
 * Plays one stream into a host element: a hidden video element, a canvas that shows its frames with their boxes, and
 * the results that belong to them.
 */
export class Player {
  readonly #host: HTMLElement;
  readonly #options: PlayerOptions;
  readonly #video = document.createElement('video');
  readonly #sound: Sound;
  readonly #renderer: Renderer;
  readonly #resultsSource: ResultsSource;
  readonly #store = new ResultStore();
  readonly #edge = new LiveEdge(LIVE_TARGET_S);
  readonly #delay = new ResultDelays();
  #stepTarget = new StepTarget();
  readonly #frames = new Rate();
  readonly #resultRate = new Rate(5_000);
  readonly #listeners = new Set<() => void>();
  readonly #timers: ReturnType<typeof setInterval>[];
  #source: MseSource | undefined;
  #sourceState: SourceState = { kind: 'connecting' };
  #mode: PlayMode;
  #label: (label: string) => string;
  #steered = 0;
  #hiddenSince: number | undefined;
  #drops = { video: 0, audio: 0, page: 0 };
  #due = { due: 0, shown: 0 };
  #picture = false;
  #lastPts = 0;
  #runs: readonly RunInfo[] = [];
  #tracks: readonly TrackInfo[] = [];
  #error: PlayerSnapshot['error'];
  #snapshot: PlayerSnapshot;

  constructor(host: HTMLElement, options: PlayerOptions) {
    this.#host = host;
    this.#options = options;
    this.#mode = options.mode;
    this.#label = options.label ?? ((label) => label);
    const canvas = document.createElement('canvas');
    host.append(prepareVideo(this.#video), canvas);
    this.#sound = new Sound(this.#video, options.muted ?? true);
    this.#renderer = new Renderer(this.#video, canvas, {
      content: (pts) => this.#content(pts),
      label: (box) => this.#label(box.label),
      drawn: (frame) => this.#drawn(frame),
    });
    this.#video.addEventListener('waiting', this.#waiting);
    document.addEventListener('visibilitychange', this.#visibility);
    this.#snapshot = this.#take();
    this.#connect();
    this.#resultsSource = new ResultsSource(this.#url('results'), {
      runs: (runs) => this.#setRuns(runs),
      result: (result) => this.#result(result),
      error: (error) => {
        this.#error = error;
        this.#publish();
      },
    });
    this.#timers = [
      setInterval(() => this.#steer(), SNAPSHOT_MS),
      setInterval(() => this.#tick(), SNAPSHOT_MS),
    ];
  }

  get snapshot(): PlayerSnapshot {
    return this.#snapshot;
  }

  /** Calls back whenever {@link snapshot} changed; the returned function ends it. */
  subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  get mode(): PlayMode {
    return this.#mode;
  }

  set mode(mode: PlayMode) {
    if (mode === this.#mode) return;
    this.#mode = mode;
    this.#due = { due: 0, shown: 0 };
    this.#retarget();
    this.#apply(this.#edge.settle(this.#sample()));
    this.#publish();
  }

  set label(label: (label: string) => string) {
    this.#label = label;
  }

  get muted(): boolean {
    return this.#sound.muted;
  }

  set muted(muted: boolean) {
    this.#sound.muted = muted;
    if (!muted && this.#edge.started) void this.#sound.play();
    this.#publish();
  }

  /** Starts an algorithm on this stream, or gives this viewer's lease on it back. */
  setRun(algorithm: string, wanted: boolean): void {
    this.#error = undefined;
    if (wanted) this.#resultsSource.run(algorithm);
    else this.#resultsSource.release(algorithm);
    this.#publish();
  }

  /** Tries again at once, whatever was being waited for. */
  retry(): void {
    this.#disconnect();
    this.#connect();
  }

  close(): void {
    for (const timer of this.#timers) clearInterval(timer);
    document.removeEventListener('visibilitychange', this.#visibility);
    this.#video.removeEventListener('waiting', this.#waiting);
    this.#sound.reset();
    this.#resultsSource.close();
    this.#disconnect();
    this.#renderer.close();
    this.#listeners.clear();
    this.#host.replaceChildren();
  }

  #url(door: 'mse' | 'results'): string {
    return doorUrl(this.#options.location ?? globalThis.location, this.#options.stream, door);
  }

  #connect(): void {
    this.#source = new MseSource(this.#video, this.#url('mse'), {
      state: (state) => this.#setSourceState(state),
      stream: (message) => {
        this.#tracks = message.tracks;
        this.#publish();
      },
      reset: () => this.#reset(),
      appended: (ranges) => this.#appended(ranges),
      drops: (drops) => {
        this.#drops = { ...this.#drops, ...drops };
      },
    });
  }

  #setSourceState(state: SourceState): void {
    // Only the media's connection notices by itself that it died.
    if (state.kind === 'lost' && this.#sourceState.kind !== 'lost' && this.#picture)
      this.#resultsSource.restart();
    if (state.kind === 'held') this.#edge.interrupted();
    // The last picture of a stream that is no more says nothing about now.
    if (state.kind === 'gone' || state.kind === 'unplayable') this.#picture = false;
    this.#sourceState = state;
    this.#publish();
  }

  #disconnect(): void {
    this.#source?.close();
    this.#source = undefined;
    this.#reset();
  }

  #reset(): void {
    this.#edge.reset();
    this.#renderer.reset();
    this.#sound.reset();
    // The next timeline may use the same numbers for other pictures.
    this.#store.clear();
    this.#delay.clear();
    this.#due = { due: 0, shown: 0 };
    this.#lastPts = 0;
  }

  #sample(): PlaybackSample {
    return {
      now: performance.now(),
      ranges: this.#source?.ranges ?? [],
      currentTime: this.#video.currentTime,
    };
  }

  #appended(ranges: readonly Range[]): void {
    const now = performance.now();
    const end = ranges.at(-1)?.[1];
    if (end !== undefined) this.#edge.appended(now, end);
    if (now - this.#steered > STEER_MS) this.#steer();
  }

  #steer(): void {
    this.#steered = performance.now();
    if (this.#video.seeking) return;
    this.#retarget();
    this.#apply(this.#edge.update(this.#sample()));
  }

  #retarget(): void {
    const inStep = this.#mode === 'in-step' && this.#runs.length > 0;
    this.#edge.wanted = inStep ? this.#stepTarget.update(performance.now(), this.#delay.hold) : LIVE_TARGET_S;
  }

  #apply(action: PlaybackAction): void {
    if (action.seek !== undefined) this.#video.currentTime = action.seek;
    if (action.rate !== undefined) this.#video.playbackRate = action.rate;
    if (this.#video.paused && this.#edge.started) void this.#sound.play();
  }

  #waiting = (): void => {
    if (!this.#video.seeking) this.#edge.stalled(performance.now());
  };

  #visibility = (): void => {
    this.#hiddenSince = document.hidden ? performance.now() : undefined;
    if (!document.hidden && !this.#source) this.#connect();
  };

  #setRuns(runs: readonly RunInfo[]): void {
    const first = this.#runs.length === 0;
    this.#runs = runs;
    const running = new Set(runs.map((run) => run.algorithm));
    this.#store.keepOnly(running);
    this.#delay.keepOnly(running);
    if (runs.length === 0) this.#stepTarget = new StepTarget();
    const ages = runs.map(({ statistics }) => (statistics.inferred > 0 ? statistics.resultAgeMs.p95 : 0));
    const oldest = Math.max(0, ...ages);
    if (oldest > 0) this.#stepTarget.expect(oldest);
    if (first !== (runs.length === 0)) this.#retarget();
    this.#publish();
  }

  #result(result: Result): void {
    this.#store.add(result);
    const now = performance.now();
    this.#resultRate.add(now);
    const edge = this.#edge.edge(now);
    if (edge === undefined) return;
    const delay = edge * 1000 - result.pts / 90;
    if (Math.abs(delay) < 30_000) this.#delay.add(result.algorithm, now, delay);
    if (this.#picture && result.pts <= this.#lastPts) this.#due.due++;
  }

  #content(pts: number): readonly DrawnBox[] {
    const boxes: DrawnBox[] = [];
    for (const track of this.#store.tracks) boxes.push(...boxesFor(track, pts, this.#mode));
    return boxes;
  }

  #drawn(frame: FrameDrawn): void {
    this.#picture = true;
    this.#lastPts = frame.pts;
    this.#drops.page += frame.skipped;
    this.#frames.add(performance.now());
    let measured: Result | undefined;
    for (const track of this.#store.tracks) {
      const result = track.at(frame.pts);
      if (!result) continue;
      this.#due.due++;
      this.#due.shown++;
      measured ??= result;
    }
    const common = { pts: frame.pts, drawn: frame.boxes, canvas: this.#renderer.canvas };
    const detail: FrameEventDetail = measured ? { ...common, measured } : common;
    this.#host.dispatchEvent(new CustomEvent('sluice:frame', { detail }));
  }

  #tick(): void {
    const hidden = this.#hiddenSince !== undefined && performance.now() - this.#hiddenSince > HIDDEN_MS;
    if (hidden && this.#video.muted && this.#source) this.#disconnect();
    this.#publish();
  }

  #level(): number | undefined {
    const audible = this.#edge.started && this.#tracks.some((track) => track.kind === 'audio');
    return audible ? this.#sound.level : undefined;
  }

  #publish(): void {
    this.#snapshot = this.#take();
    for (const listener of this.#listeners) listener();
  }

  #take(): PlayerSnapshot {
    const now = performance.now();
    const latency = this.#edge.latency;
    const state = this.#sourceState;
    return {
      phase: phaseOf(state, latency, this.#edge.target, this.#picture),
      source: state,
      unplayable: state.kind === 'unplayable' ? state.why : undefined,
      picture: this.#picture,
      ratio: this.#video.videoHeight > 0 ? this.#video.videoWidth / this.#video.videoHeight : undefined,
      fps: this.#frames.at(now),
      latencyMs: latency === undefined ? undefined : latency * 1000,
      targetMs: this.#edge.target * 1000,
      settled: latency !== undefined && Math.abs(latency - this.#edge.target) < SETTLED_S,
      drops: { ...this.#drops },
      results: {
        rate: this.#resultRate.at(now),
        p50Ms: this.#delay.quantile(0.5),
        p95Ms: this.#delay.quantile(0.95),
        ...this.#due,
      },
      runs: this.#runs,
      tracks: this.#tracks,
      unsupported: this.#source?.unsupported ?? [],
      muted: this.#sound.muted,
      soundBlocked: this.#sound.blocked,
      level: this.#level(),
      error: this.#error,
    };
  }
}

function prepareVideo(video: HTMLVideoElement): HTMLVideoElement {
  video.autoplay = false;
  video.playsInline = true;
  video.disablePictureInPicture = true;
  video.setAttribute('aria-hidden', 'true');
  video.tabIndex = -1;
  return video;
}
