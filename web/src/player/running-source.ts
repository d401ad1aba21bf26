import type { Rung } from './ladder.ts';
import type { TrackInfo, UnsupportedTrack } from './protocol.ts';
import type { Sound } from './sound.ts';
import type { PlayerSource, SourceEvents, SourceOptions, SourceState, StreamStatus } from './source.ts';
import { openSource } from './sources.ts';

export interface RunningSourceOptions extends Omit<SourceOptions, 'video' | 'events'> {
  readonly status: StreamStatus;
  readonly events: Omit<SourceEvents, 'state' | 'tracks' | 'drops'> & {
    state(state: SourceState, before: SourceState): void;
    /** Its tracks are known, or others. */
    changed(): void;
  };
}

/** A source at work with the element it plays in, and what it said last. It is silent until it is listened to. */
export class RunningSource {
  readonly rung: Rung;
  readonly source: PlayerSource;
  readonly #video: HTMLVideoElement;
  #state: SourceState = { kind: 'connecting' };
  #tracks: readonly TrackInfo[] = [];
  #unsupported: readonly UnsupportedTrack[] = [];
  #drops = { video: 0, audio: 0 };
  #isPlaying = false;

  constructor(rung: Rung, host: HTMLElement, { events, status, ...options }: RunningSourceOptions) {
    this.rung = rung;
    this.#video = newVideo();
    // In front of the canvas, behind elements that play already.
    host.insertBefore(this.#video, host.lastElementChild);
    this.source = openSource(rung, {
      ...options,
      video: this.#video,
      events: {
        ...events,
        state: (state) => {
          const before = this.#state;
          this.#state = state;
          events.state(state, before);
        },
        tracks: (tracks, unsupported) => {
          this.#tracks = tracks;
          this.#unsupported = unsupported;
          events.changed();
        },
        drops: (drops) => {
          this.#drops = drops;
        },
        playing: () => {
          this.#isPlaying = true;
          events.playing();
        },
      },
    });
    this.source.told(status);
  }

  get tracks(): readonly TrackInfo[] {
    return this.#tracks;
  }

  get unsupported(): readonly UnsupportedTrack[] {
    return this.#unsupported;
  }

  get drops(): { readonly video: number; readonly audio: number } {
    return this.#drops;
  }

  get sound(): Sound | undefined {
    return this.source.sound;
  }

  /** How loud it is, 0..1; undefined while it is not heard. */
  get level(): number | undefined {
    const hasSound = this.#isPlaying && this.#tracks.some((track) => track.kind === 'audio');
    return hasSound ? this.sound?.level : undefined;
  }

  /** Its state, with what it cannot know by itself: that the publisher is gone. */
  stateWith(status: StreamStatus | undefined): SourceState {
    return this.#state.kind === 'open' && status?.held ? { kind: 'held', ...status.held } : this.#state;
  }

  /** It is the one that is heard, or is muted. */
  listen(muted: boolean): void {
    if (!this.sound) return;
    this.sound.muted = muted;
    if (!muted && this.#isPlaying) void this.sound.play();
  }

  close(): void {
    this.source.close();
    this.#video.remove();
  }
}

function newVideo(): HTMLVideoElement {
  const video = document.createElement('video');
  video.autoplay = false;
  video.muted = true;
  video.playsInline = true;
  video.disablePictureInPicture = true;
  video.setAttribute('aria-hidden', 'true');
  video.tabIndex = -1;
  return video;
}
