import type Hls from 'hls.js/light';
import type { ErrorData } from 'hls.js/light';
import { BufferedPlayback, LONGEST_HOLD_S } from './buffered-playback.ts';
import { codecOf } from './codec-support.ts';
import { afterRefusal, DoorRefusal, isSetback } from './door-refusal.ts';
import { HlsTimeline } from './hls-timeline.ts';
import type { Setback } from './ladder.ts';
import { rangesOf } from './mse-buffer.ts';
import type { TrackInfo } from './protocol.ts';
import { Repeated } from './repeated.ts';
import { Sound } from './sound.ts';
import {
  doorAddress,
  type PlayerSource,
  type SourceEvents,
  type SourceOptions,
  type StreamStatus,
} from './source.ts';
import { VideoFrames } from './video-frames.ts';

export const HLS_TYPE = 'application/vnd.apple.mpegurl';
const AGAIN_MS = 1_000;
/** In the buffer before the playhead where something is held back, beyond that, seconds. */
const START_RESERVE_S = 1;
const TICK_MS = 250;
const SETTLE_MS = 1_500;

/**
 * Low-latency HLS: by hls.js (loaded when it is needed) where there is `MediaSource`, else by the browser itself, which
 * does not say which frame it shows.
 */
export class HlsSource implements PlayerSource {
  readonly rung = 'hls';
  readonly longestHold = LONGEST_HOLD_S;
  readonly sound: Sound;
  readonly #options: SourceOptions;
  readonly #events: SourceEvents;
  readonly #over = new AbortController();
  readonly #playback: BufferedPlayback;
  readonly #frames: VideoFrames;
  readonly #timeline = new HlsTimeline();
  readonly #breaks = new Repeated(3, 30_000);
  readonly #tick: ReturnType<typeof setInterval>;
  #hls: Hls | undefined;
  #isNative = false;
  #hold: number | undefined;
  #hadMedia = false;
  #isSettling = false;
  #settle: ReturnType<typeof setTimeout> | undefined;
  #again: ReturnType<typeof setTimeout> | undefined;

  constructor(options: SourceOptions) {
    const { video, events, hold } = options;
    this.#options = options;
    this.#events = events;
    this.#hold = hold;
    this.sound = new Sound(video);
    this.#playback = new BufferedPlayback(video, this.sound, () =>
      this.#hls ? rangesOf(video.buffered) : [],
    );
    this.hold(hold, false);
    this.#frames = new VideoFrames(video, ({ picture, width, height, seconds, skipped }) => {
      const time = this.#timeline.seconds(seconds);
      const pts = time === undefined ? undefined : Math.round(time * 90_000);
      this.#plays();
      events.frame({ picture, width, height, skipped, pts });
    });
    video.addEventListener('error', this.#mediaError);
    this.#tick = setInterval(() => this.#soundAlone(), TICK_MS);
    events.state({ kind: 'connecting' });
    void this.#begin();
  }

  get latency(): number | undefined {
    if (!this.#isNative) return this.#playback.latency;
    const { seekable, currentTime } = this.#options.video;
    return seekable.length > 0 ? Math.max(0, seekable.end(seekable.length - 1) - currentTime) : undefined;
  }

  get target(): number {
    return this.#isNative ? (this.latency ?? 0) : this.#playback.target;
  }

  get isSettled(): boolean {
    return this.#isNative ? this.latency !== undefined : this.#playback.isSettled;
  }

  edge(now: number): number | undefined {
    const edge = this.#playback.edge(now);
    return edge === undefined ? undefined : this.#timeline.seconds(edge);
  }

  hold(seconds: number | undefined, isJump: boolean): void {
    this.#hold = seconds;
    this.#playback.hold(seconds, isJump);
  }

  told(status: StreamStatus): void {
    if (status.held) this.#playback.interrupted();
  }

  anchor(_pts: number): void {}

  nudge(_isServerBack: boolean): void {
    if (this.#again === undefined) return;
    clearTimeout(this.#again);
    void this.#begin();
  }

  close(): void {
    if (this.#over.signal.aborted) return;
    this.#over.abort();
    clearTimeout(this.#again);
    clearTimeout(this.#settle);
    clearInterval(this.#tick);
    this.#options.video.removeEventListener('error', this.#mediaError);
    this.#frames.close();
    this.#playback.close();
    this.#letGo();
  }

  get #address(): string {
    return doorAddress(this.#options.origin, this.#options.stream, 'index.m3u8');
  }

  get #isOver(): boolean {
    return this.#over.signal.aborted;
  }

  async #begin(): Promise<void> {
    this.#again = undefined;
    try {
      // Asked for by ourselves first: players do not tell why there is nothing to play.
      const response = await fetch(this.#address, { signal: this.#over.signal });
      if (!response.ok) throw await DoorRefusal.of(response);
      await response.arrayBuffer();
      const { default: Library } = await import('hls.js/light');
      if (this.#isOver) return;
      this.#letGo();
      this.#events.reset();
      this.#events.state({ kind: 'open' });
      if (Library.isSupported()) this.#useLibrary(Library);
      else this.#useBrowser();
    } catch (error) {
      if (!this.#isOver) this.#refused(error);
    }
  }

  #refused(error: unknown): void {
    const next = afterRefusal(error, this.#hadMedia, Date.now());
    if (isSetback(next)) return this.#fail(next);
    this.#events.state(next);
    this.#again = setTimeout(() => void this.#begin(), AGAIN_MS);
  }

  #fail(why: Setback): void {
    if (this.#isOver) return;
    this.close();
    this.#events.failed(why);
  }

  #useLibrary(Library: typeof Hls): void {
    const { Events } = Library;
    const hls = new Library({
      lowLatencyMode: true,
      // The browser itself gives up what is old when its buffer is full. When the library does, it appends nothing for seconds.
      backBufferLength: Infinity,
      // There is nothing to transmux.
      enableWorker: false,
      ...(!this.#hold ? {} : { liveSyncDuration: this.#hold + START_RESERVE_S }),
    });
    this.#hls = hls;
    hls.on(Events.MANIFEST_PARSED, (_, { levels }) => {
      const [level] = levels;
      if (level) this.#events.tracks(tracksOf(level), []);
    });
    hls.on(Events.INIT_PTS_FOUND, (_, { frag, initPTS, timescale }) =>
      this.#timeline.moved(frag.start, initPTS, timescale),
    );
    hls.on(Events.BUFFER_APPENDED, () => this.#playback.appended());
    hls.on(Events.ERROR, (_, data) => this.#libraryError(Library, hls, data));
    hls.loadSource(this.#address);
    hls.attachMedia(this.#options.video);
  }

  #useBrowser(): void {
    this.#isNative = true;
    this.#options.video.src = this.#address;
    void this.sound.play();
  }

  #libraryError(Library: typeof Hls, hls: Hls, data: ErrorData): void {
    if (!data.fatal || hls !== this.#hls) return;
    if (data.details === Library.ErrorDetails.MANIFEST_INCOMPATIBLE_CODECS_ERROR) {
      return this.#fail({ kind: 'codec' });
    }
    this.#broken();
  }

  #mediaError = (): void => {
    const { error } = this.#options.video;
    if (!this.#isNative || !error) return;
    // Some browsers say that they may play HLS, and do not play this one.
    if (error.code === MediaError.MEDIA_ERR_SRC_NOT_SUPPORTED) this.#fail({ kind: 'missing' });
    else this.#broken();
  };

  /** Begun anew, which asks the server first whether there is anything to play. */
  #broken(): void {
    if (this.#breaks.count(performance.now())) return this.#fail({ kind: 'broken' });
    this.#letGo();
    this.#events.state({ kind: 'lost', retryAt: Date.now() + AGAIN_MS });
    this.#again ??= setTimeout(() => void this.#begin(), AGAIN_MS);
  }

  #letGo(): void {
    this.#isSettling = false;
    this.#hls?.destroy();
    this.#hls = undefined;
    this.#timeline.clear();
    this.#playback.reset();
    this.#frames.reset();
    const { video } = this.#options;
    if (!this.#isNative) return;
    this.#isNative = false;
    video.removeAttribute('src');
    video.load();
  }

  #plays(): void {
    if (!this.#isSettling) {
      this.#isSettling = true;
      // Playback begins with the first part that is there; only by now it is known how far others are.
      this.#settle = setTimeout(() => this.#playback.hold(this.#hold, true), SETTLE_MS);
    }
    this.#hadMedia = true;
    this.#events.playing();
  }

  #soundAlone(): void {
    const { videoWidth, currentTime } = this.#options.video;
    if (videoWidth === 0 && (this.#isNative ? currentTime > 0 : this.#playback.isStarted)) this.#plays();
  }
}

function tracksOf(level: {
  readonly width: number;
  readonly height: number;
  readonly videoCodec: string | undefined;
  readonly audioCodec: string | undefined;
}): TrackInfo[] {
  const { width, height, videoCodec, audioCodec } = level;
  const tracks: TrackInfo[] = [];
  if (videoCodec !== undefined) {
    tracks.push({ id: 0, kind: 'video', codec: codecOf(videoCodec), codecString: videoCodec, width, height });
  }
  if (audioCodec !== undefined) {
    tracks.push({ id: 1, kind: 'audio', codec: codecOf(audioCodec), codecString: audioCodec });
  }
  return tracks;
}
