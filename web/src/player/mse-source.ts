import { BufferedPlayback, LONGEST_HOLD_S } from './buffered-playback.ts';
import { unplayable } from './codec-support.ts';
import type { Range } from './live-edge.ts';
import { MseBuffer } from './mse-buffer.ts';
import { doorUrl, type MseMessage, parseMessage, STREAM_GONE, type StreamMessage } from './protocol.ts';
import { ReconnectingSocket } from './reconnecting-socket.ts';
import { Repeated } from './repeated.ts';
import { Sound } from './sound.ts';
import type { PlayerSource, SourceEvents, SourceOptions, SourceState, StreamStatus } from './source.ts';
import { VideoFrames } from './video-frames.ts';

/** Fragmented MP4 over a WebSocket into a `MediaSource`, and again after whatever interrupted it. */
export class MseSource implements PlayerSource {
  readonly rung = 'mse';
  readonly longestHold = LONGEST_HOLD_S;
  readonly sound: Sound;
  readonly #video: HTMLVideoElement;
  readonly #events: SourceEvents;
  readonly #socket: ReconnectingSocket;
  readonly #playback: BufferedPlayback;
  readonly #frames: VideoFrames;
  /** Media that cannot be played on may be an accident; thrice in half a minute it is none. */
  readonly #breaks = new Repeated(3, 30_000);
  /** Connections that ended without a word from the server: something between may let no WebSocket through. */
  readonly #silences = new Repeated(2, 30_000);
  #isAnswered = false;
  #buffer: MseBuffer | undefined;
  /** Kinds of the tracks that the buffer was made for. */
  #kinds = '';
  /** Set between a `stream` message and the init segment that follows it. */
  #announced: StreamMessage | undefined;
  #state: SourceState = { kind: 'connecting' };
  #closed = false;

  constructor({ stream, origin, video, events, hold }: SourceOptions) {
    this.#video = video;
    this.#events = events;
    this.sound = new Sound(video);
    this.#playback = new BufferedPlayback(video, this.sound, () => this.#ranges);
    this.hold(hold, false);
    this.#frames = new VideoFrames(video, ({ picture, width, height, seconds, skipped }) => {
      events.playing();
      events.frame({ picture, width, height, skipped, pts: Math.round(seconds * 90_000) });
    });
    video.addEventListener('error', this.#decodeError);
    this.#socket = new ReconnectingSocket(
      doorUrl(new URL(origin), stream, 'mse'),
      {
        open: () => this.#begin(),
        text: (text) => {
          this.#isAnswered = true;
          this.#message(parseMessage<MseMessage>(text));
        },
        binary: (bytes) => this.#binary(bytes),
        close: (code, retryMs) => {
          const retryAt = Date.now() + retryMs;
          this.#tell(code === STREAM_GONE ? { kind: 'gone', retryAt } : { kind: 'lost', retryAt });
          if (!this.#isAnswered && this.#silences.count(performance.now())) void this.#askOtherwise(origin);
        },
      },
      true,
    );
  }

  get latency(): number | undefined {
    return this.#playback.latency;
  }

  get target(): number {
    return this.#playback.target;
  }

  get isSettled(): boolean {
    return this.#playback.isSettled;
  }

  edge(now: number): number | undefined {
    return this.#playback.edge(now);
  }

  hold(seconds: number | undefined, isJump: boolean): void {
    this.#playback.hold(seconds, isJump);
  }

  /** The server says all that matters on the socket itself. */
  told(_status: StreamStatus): void {}

  /** What the element gives back is the timestamp in full. */
  anchor(_pts: number): void {}

  nudge(_isServerBack: boolean): void {
    if (this.#state.kind === 'lost' || this.#state.kind === 'gone') this.#socket.restart();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#video.removeEventListener('error', this.#decodeError);
    this.#socket.close();
    this.#frames.close();
    this.#playback.close();
    this.#buffer?.close();
  }

  get #ranges(): readonly Range[] {
    return this.#buffer?.ranges ?? [];
  }

  /** A new connection brings a new init segment and perhaps another timeline: nothing of the old one is kept. */
  #begin(): void {
    this.#announced = undefined;
    this.#renew();
    this.#tell({ kind: 'waiting', reason: '' });
  }

  #renew(): void {
    this.#buffer?.close();
    this.#buffer = undefined;
    this.#playback.reset();
    this.#frames.reset();
    this.#events.reset();
  }

  #tell(state: SourceState): void {
    this.#state = state;
    this.#events.state(state);
  }

  #decodeError = (): void => {
    // Only a new MediaSource recovers from a decoder's error; the server replays from the last keyframe.
    if (this.#buffer && this.#video.error) this.#broken();
  };

  /** A server that answers over HTTP, and not on its WebSocket, will not do so later either. */
  async #askOtherwise(origin: string): Promise<void> {
    const response = await fetch(`${origin}/api/health`).catch(() => undefined);
    if (!response?.ok || this.#closed || this.#isAnswered) return;
    this.#events.failed({ kind: 'socket' });
  }

  #broken(): void {
    if (this.#breaks.count(performance.now())) this.#events.failed({ kind: 'broken' });
    else this.#socket.restart();
  }

  #message(message: MseMessage | undefined): void {
    switch (message?.type) {
      case 'stream':
        this.#stream(message);
        break;
      case 'held':
        this.#playback.interrupted();
        this.#tell({ kind: 'held', since: message.since, seconds: message.seconds });
        break;
      case 'live':
        this.#tell({ kind: 'open' });
        break;
      case 'waiting':
        this.#tell({ kind: 'waiting', for: message.for, reason: message.reason });
        break;
      case 'drops':
        this.#events.drops({ video: message.video, audio: message.audio });
        break;
      default:
    }
  }

  #stream(message: StreamMessage): void {
    const why = unplayable(message, (type) => MediaSource.isTypeSupported(type));
    this.#events.tracks(message.tracks, message.unsupported);
    if (why) return this.#events.failed({ kind: 'codec', ...why });
    this.#announced = message;
    this.#tell({ kind: 'open' });
  }

  #binary(bytes: ArrayBuffer): void {
    // What was waited for has come.
    if (this.#state.kind === 'waiting') this.#tell({ kind: 'open' });
    if (this.#announced) {
      // A source buffer keeps the kinds it began with, and sound may join later: then another one is needed.
      const kinds = this.#announced.tracks.map(({ kind }) => kind).join();
      if (this.#buffer && kinds !== this.#kinds) this.#renew();
      this.#kinds = kinds;
      this.#buffer ??= new MseBuffer(this.#video, {
        appended: () => this.#appended(),
        broken: () => this.#broken(),
      });
      this.#buffer.appendInit(this.#announced.mime, bytes);
      this.#announced = undefined;
      return;
    }
    this.#buffer?.appendMedia(bytes);
  }

  #appended(): void {
    this.#playback.appended();
    // Sound alone shows no frame that would say so.
    if (this.#playback.isStarted && this.#kinds === 'audio') this.#events.playing();
  }
}
