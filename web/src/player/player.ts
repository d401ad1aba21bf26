import type { PlayMode } from '#algorithms/overlay/boxes.ts';
import { Attention } from './attention.ts';
import { Ladder, type Rung, type Via } from './ladder.ts';
import { LadderMemory, tabStorage } from './ladder-memory.ts';
import { doorUrl } from './protocol.ts';
import { Rate } from './rate.ts';
import { Renderer } from './renderer.ts';
import { ResultsSource } from './results-source.ts';
import { RunningSource } from './running-source.ts';
import { RunningSources } from './running-sources.ts';
import { type FrameEventDetail, type PlayerSnapshot, phaseOf } from './snapshot.ts';
import type { PresentedFrame, SourceState, StreamStatus } from './source.ts';
import { missingRungs } from './sources.ts';
import { type FrameContent, StreamResults } from './stream-results.ts';
import { longestWebRtcHold } from './webrtc-source.ts';

export interface PlayerOptions {
  readonly stream: string;
  readonly mode: PlayMode;
  /** The way to begin with; the best that works by default. */
  readonly via?: Via;
  /** Where the server is; the page's own location by default. */
  readonly location?: { readonly protocol: string; readonly host: string };
  readonly muted?: boolean;
  readonly label?: (label: string) => string;
}

const TICK_MS = 250;
/** What is to be held back must have become less than a source can by so much before that source is taken again, s. */
const FAR_MARGIN_S = 0.3;
/** No frame for so long while the server is away: the picture stands still. */
const STILL_MS = 1_500;
/** A hidden, silent player lets go of the stream after so long. */
const HIDDEN_MS = 20_000;

/**
 * Plays one stream into a host element: a canvas that shows its frames with their boxes, brought by whichever source the
 * ladder has at work, and the results that belong to them.
 */
export class Player {
  readonly #host: HTMLElement;
  readonly #options: PlayerOptions;
  readonly #origin: string;
  readonly #renderer: Renderer;
  readonly #resultsSource: ResultsSource;
  readonly #results = new StreamResults();
  readonly #frames = new Rate();
  readonly #memory = new LadderMemory(tabStorage());
  readonly #listeners = new Set<() => void>();
  readonly #timer: ReturnType<typeof setInterval>;
  readonly #sources = new RunningSources((rung) => this.#open(rung));
  readonly #attention = new Attention(() => this.#seenAgain());
  #ladder: Ladder;
  #status: StreamStatus | undefined;
  /** As long as nothing else is known. */
  #isReachable = true;
  #mode: PlayMode;
  #muted: boolean;
  #label: (label: string) => string;
  #isAway = false;
  #skipped = 0;
  #picture = false;
  /** When the last frame was drawn, `performance.now()`. */
  #drawnAt = 0;
  #error: PlayerSnapshot['error'];
  #snapshot: PlayerSnapshot;

  constructor(host: HTMLElement, options: PlayerOptions) {
    this.#host = host;
    this.#options = options;
    const { protocol, host: place } = options.location ?? globalThis.location;
    this.#origin = `${protocol}//${place}`;
    this.#mode = options.mode;
    this.#muted = options.muted ?? true;
    this.#label = options.label ?? ((label) => label);
    const canvas = document.createElement('canvas');
    host.append(canvas);
    this.#renderer = new Renderer(canvas, (box) => this.#label(box.label));
    this.#ladder = this.#newLadder(options.via ?? 'auto');
    this.#snapshot = this.#take();
    this.#resultsSource = new ResultsSource(doorUrl(new URL(this.#origin), options.stream, 'results'), {
      open: (isBack) => {
        this.#setReachable(true);
        // What does not notice by itself that the server was away is to look now.
        if (isBack) for (const source of this.#sources) source.nudge(true);
      },
      runs: (runs) => {
        const first = this.#results.runs.length === 0;
        this.#results.runs = runs;
        if (first !== (runs.length === 0)) this.#retarget(false);
        this.#publish();
      },
      result: (result) => {
        const now = performance.now();
        for (const source of this.#sources) source.anchor(result.pts);
        this.#results.add(result, now, this.#playing?.source.edge(now));
      },
      error: (error) => {
        this.#error = error;
        this.#publish();
      },
      closed: () => this.#setReachable(false),
    });
    this.#timer = setInterval(() => this.#tick(), TICK_MS);
    this.#follow();
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
    this.#results.recount();
    this.#retarget(true);
    this.#publish();
  }

  /** The viewer's choice of a way; the one that plays goes on until the chosen one has a picture. */
  set via(via: Via) {
    const now = Date.now();
    if (via === this.#ladder.via) return;
    const playing = this.#playing;
    // Those that are being tried judge by the choice they were opened under: they are opened anew.
    this.#sources.dropAllBut(playing?.rung);
    this.#ladder.choose(via, now);
    const missed = playing?.unsupported.find(({ kind }) => kind === 'audio');
    if (playing?.rung === 'webrtc' && missed && via === 'auto') {
      // Without sound by the viewer's wish, which is over.
      this.#sources.drop(playing.rung);
      this.#ladder.failed(playing.rung, { kind: 'sound', codec: missed.codec }, now);
    }
    this.#follow();
  }

  set label(label: (label: string) => string) {
    this.#label = label;
  }

  get muted(): boolean {
    return this.#playing?.sound?.muted ?? this.#muted;
  }

  set muted(muted: boolean) {
    this.#muted = muted;
    this.#playing?.listen(muted);
    this.#publish();
  }

  /** What the server says about the stream, whenever the page hears it. */
  set status(status: StreamStatus) {
    const before = this.#status;
    this.#status = status;
    this.#tellSources();
    if (formatsOf(before) !== formatsOf(status) && before && status.tracks.length > 0) {
      this.#ladder.renewed(Date.now());
      this.#follow();
    }
    if (status.isLive && before?.isLive === false) for (const source of this.#sources) source.nudge(false);
  }

  /** Starts an algorithm on this stream, or gives this viewer's lease on it back. */
  setRun(algorithm: string, wanted: boolean): void {
    this.#error = undefined;
    if (wanted) this.#resultsSource.run(algorithm);
    else this.#resultsSource.release(algorithm);
    this.#publish();
  }

  /** Tries again at once, from the top, whatever was being waited for. */
  retry(): void {
    this.#sources.dropAllBut();
    this.#ladder = new Ladder({ via: this.#ladder.via, standings: this.#missing, now: Date.now() });
    this.#follow();
  }

  close(): void {
    clearInterval(this.#timer);
    this.#attention.close();
    this.#resultsSource.close();
    this.#sources.dropAllBut();
    this.#renderer.close();
    this.#listeners.clear();
    this.#host.replaceChildren();
  }

  get #missing() {
    return missingRungs(document.createElement('video'));
  }

  #newLadder(via: Via): Ladder {
    const now = Date.now();
    const standings = new Map([...this.#memory.load(this.#options.stream, now), ...this.#missing]);
    if (via !== 'auto' && standings.get(via)?.setback.kind !== 'missing') standings.delete(via);
    return new Ladder({ via, standings, now });
  }

  get #playing(): RunningSource | undefined {
    return this.#sources.get(this.#ladder.playing);
  }

  /** The source whose state is the player's: the one that plays, else the best that is tried. */
  get #leading(): RunningSource | undefined {
    return this.#playing ?? this.#sources.get(this.#ladder.running[0]);
  }

  /** Opens and closes sources as the ladder has it. */
  #follow(): void {
    this.#sources.follow(this.#isAway ? [] : this.#ladder.running);
    this.#publish();
  }

  #open(rung: Rung): RunningSource {
    return new RunningSource(rung, this.#host, {
      stream: this.#options.stream,
      origin: this.#origin,
      hold: this.#hold,
      chosen: this.#ladder.via === rung,
      status: this.#knownStatus,
      events: {
        state: (state, before) => this.#setState(rung, state, before),
        changed: () => this.#publish(),
        reset: () => {
          if (rung === this.#ladder.playing) this.#results.clear();
        },
        frame: (frame) => {
          if (rung === this.#ladder.playing) this.#draw(frame);
        },
        playing: () => this.#shows(rung),
        failed: (why) => {
          this.#sources.drop(rung);
          this.#ladder.failed(rung, why, Date.now());
          this.#remember();
          this.#follow();
        },
      },
    });
  }

  #setState(rung: Rung, state: SourceState, before: SourceState): void {
    if (state.kind === 'open' || state.kind === 'held') this.#ladder.opened(rung, Date.now());
    else this.#ladder.waiting(rung);
    if (rung === this.#leading?.rung) {
      // The last picture of a stream that is no more says nothing about now.
      if (state.kind === 'gone') this.#picture = false;
      // Only the media's connection notices by itself that it died.
      if (state.kind === 'lost' && before.kind !== 'lost' && this.#picture) this.#resultsSource.restart();
    }
    this.#publish();
  }

  /** A source has its first picture: from now on its pictures are what is seen and its sound what is heard. */
  #shows(rung: Rung): void {
    const before = this.#ladder.playing;
    if (rung === before) return;
    this.#ladder.shown(rung, Date.now());
    if (rung !== this.#ladder.playing) return;
    this.#remember();
    // Delays were measured against the live edge as the other source saw it. After a break even timestamps may be others.
    if (before) this.#results.forgetDelays();
    else this.#results.clear();
    this.#playing?.listen(this.#muted);
    this.#follow();
  }

  get #knownStatus(): StreamStatus {
    const status = this.#status ?? { isLive: true, tracks: [] };
    return this.#isReachable ? status : { ...status, isLive: false };
  }

  #tellSources(): void {
    for (const source of this.#sources) source.told(this.#knownStatus);
  }

  #setReachable(isReachable: boolean): void {
    if (isReachable === this.#isReachable) return;
    this.#isReachable = isReachable;
    if (isReachable) this.#ladder.awake(Date.now());
    this.#tellSources();
    this.#publish();
  }

  #remember(): void {
    this.#memory.save(this.#options.stream, this.#ladder.standings, Date.now());
  }

  /** Seconds to hold back, *in step*; see `PlayerSource.hold`. */
  get #hold(): number | undefined {
    return this.#mode === 'in-step' ? (this.#results.hold(performance.now()) ?? 0) : undefined;
  }

  #retarget(isJump: boolean): void {
    const hold = this.#hold;
    for (const source of this.#sources) source.hold(hold, isJump);
    const playing = this.#playing;
    if (
      playing &&
      hold !== undefined &&
      hold > playing.source.longestHold &&
      playing.rung !== this.#ladder.via
    ) {
      const { rung } = playing;
      this.#sources.drop(rung);
      this.#ladder.failed(rung, { kind: 'far' }, Date.now());
      this.#follow();
    } else if (hold === undefined || hold < longestWebRtcHold() - FAR_MARGIN_S) {
      this.#ladder.forgive('far', Date.now());
    }
  }

  #seenAgain(): void {
    this.#ladder.awake(Date.now());
    if (!this.#isAway) return;
    this.#isAway = false;
    this.#ladder = this.#newLadder(this.#ladder.via);
    this.#follow();
  }

  #draw(frame: PresentedFrame): void {
    const content = frame.pts === undefined ? undefined : this.#results.on(frame.pts, this.#mode);
    this.#renderer.draw(frame, content?.boxes ?? []);
    this.#picture = true;
    this.#skipped += frame.skipped;
    this.#drawnAt = performance.now();
    this.#frames.add(this.#drawnAt);
    if (content) this.#tell(content);
  }

  #tell({ pts, boxes, measured }: FrameContent): void {
    const common = { pts, drawn: boxes, canvas: this.#renderer.canvas };
    const detail: FrameEventDetail = measured ? { ...common, measured } : common;
    this.#host.dispatchEvent(new CustomEvent('sluice:frame', { detail }));
  }

  #tick(): void {
    if (this.#attention.hiddenMs > HIDDEN_MS && this.muted && !this.#isAway) {
      this.#isAway = true;
      // What was seen long ago says nothing when somebody looks again.
      this.#picture = false;
    }
    this.#retarget(false);
    // A page that is hidden gets no frames, nor one whose server is away: nothing can be judged by their absence.
    if (!document.hidden && this.#isReachable) this.#ladder.update(Date.now());
    this.#follow();
  }

  #publish(): void {
    this.#snapshot = this.#take();
    for (const listener of this.#listeners) listener();
  }

  #take(): PlayerSnapshot {
    const now = performance.now();
    const leading = this.#leading;
    const playing = this.#playing;
    const told = leading?.stateWith(this.#status) ?? { kind: 'connecting' as const };
    // Not every source notices by itself that the server is gone.
    const isStill = !this.#isReachable && now - this.#drawnAt > STILL_MS;
    const state: SourceState = isStill && told.kind === 'open' ? { kind: 'lost', retryAt: Date.now() } : told;
    const { latency, target = 0, isSettled = false } = playing?.source ?? {};
    const isExhausted = this.#ladder.isExhausted;
    const drops = playing?.drops ?? { video: 0, audio: 0 };
    return {
      phase: isExhausted ? 'failed' : phaseOf(state, playing?.source, this.#picture),
      source: state,
      rung: playing?.rung,
      trying: this.#ladder.running.filter((rung) => rung !== playing?.rung),
      setbacks: this.#ladder.setbacks,
      isExhausted,
      picture: this.#picture && !isExhausted,
      ratio: this.#renderer.ratio,
      fps: this.#frames.at(now),
      latencyMs: latency === undefined ? undefined : latency * 1000,
      targetMs: target * 1000,
      settled: isSettled,
      drops: { ...drops, page: this.#skipped },
      results: this.#results.figures(now),
      runs: this.#results.runs,
      tracks: leading?.tracks ?? [],
      unsupported: leading?.unsupported ?? [],
      muted: this.muted,
      soundBlocked: playing?.sound?.blocked ?? false,
      level: playing?.level,
      error: this.#error,
    };
  }
}

function formatsOf(status: StreamStatus | undefined): string {
  return status?.tracks.map(({ kind, codec }) => `${kind}:${codec}`).join() ?? '';
}
