import { afterRefusal, isSetback } from './door-refusal.ts';
import { EdgeEnvelope } from './edge-envelope.ts';
import { JitterTarget } from './jitter-target.ts';
import type { Setback } from './ladder.ts';
import { type MediaCounts, MediaWatch } from './media-watch.ts';
import type { TrackInfo, UnsupportedTrack } from './protocol.ts';
import { RtpClock } from './rtp-clock.ts';
import { Sound } from './sound.ts';
import { type Playout, SoundLag } from './sound-lag.ts';
import {
  doorAddress,
  type PlayerSource,
  type SourceEvents,
  type SourceOptions,
  type StreamStatus,
} from './source.ts';
import { streamTracks } from './stream-tracks.ts';
import { type VideoElementFrame, VideoFrames } from './video-frames.ts';
import { answeredTracks, beginWhep, type WhepSession } from './whep.ts';

/** From the answer to a connection: where UDP gets through it takes a tenth of this. */
const CONNECT_MS = 6_000;
/** A connection that was lost may come back by itself for so long. */
const DISCONNECTED_MS = 3_000;
const LOOK_MS = 500;
const ASK_AGAIN_MS = 1_500;
/** A server that is asked for a stream on demand may take ten seconds for it. */
const ANSWER_MS = 20_000;
/** The least distance that is reckoned with at the live edge, seconds. */
const NEAREST_S = 0.1;
/** What counts as settled: at the live edge, and beside what is held back, seconds. */
const LIVE_SETTLED_S = 0.4;
const SETTLED_NEAR_S = 0.08;
const SETTLED_FAR_S = 0.25;
/**
 * What the browser may keep a picture for at the live edge, ms. By itself it keeps pictures until their sound has come,
 * which takes three times as long.
 */
const PROMPT_MS = 20;
/** Pictures are under way while the last one is no older, ms. */
const FLOWING_MS = 1_000;

/** One session over WebRTC. It asks again for a stream that is not there; a session that breaks is its end. */
export class WebRtcSource implements PlayerSource {
  readonly rung = 'webrtc';
  readonly longestHold = longestWebRtcHold();
  readonly sound: Sound;
  readonly #options: SourceOptions;
  readonly #events: SourceEvents;
  readonly #frames: VideoFrames;
  readonly #clock = new RtpClock();
  readonly #edge = new EdgeEnvelope();
  readonly #jitter = new JitterTarget();
  readonly #over = new AbortController();
  readonly #timers = new Set<ReturnType<typeof setTimeout>>();
  readonly #look: ReturnType<typeof setInterval>;
  readonly #lag = new SoundLag();
  #watch = new MediaWatch();
  /** At the live edge: whether pictures go ahead of their sound. */
  #goesAhead = true;
  #peer: RTCPeerConnection | undefined;
  #session: WhepSession | undefined;
  #hold: number | undefined;
  #latency: number | undefined;
  #status: StreamStatus | undefined;
  /** When the last picture was handed over. */
  #shown: number | undefined;
  #askAgain: (() => void) | undefined;

  constructor(options: SourceOptions) {
    const { video, events, hold } = options;
    this.#options = options;
    this.#events = events;
    this.#hold = hold;
    this.sound = new Sound(video);
    this.#frames = new VideoFrames(video, (frame) => this.#frame(frame));
    this.#look = setInterval(() => void this.#lookAfter(), LOOK_MS);
    globalThis.addEventListener('pagehide', this.#leave);
    events.state({ kind: 'connecting' });
    // Nothing is told of failures before the constructor is done.
    queueMicrotask(() => void this.#begin());
  }

  get latency(): number | undefined {
    return this.#latency;
  }

  get target(): number {
    return Math.max(NEAREST_S, this.#hold ?? 0);
  }

  get isSettled(): boolean {
    if (this.#latency === undefined) return false;
    if (!this.#hold) return this.#latency < LIVE_SETTLED_S;
    const off = this.#latency - this.#hold;
    return off > -SETTLED_NEAR_S && off < SETTLED_FAR_S;
  }

  edge(now: number): number | undefined {
    return this.#edge.edge(now);
  }

  /** The browser moves there by itself, a tenth of a second in each second; it cannot jump. */
  hold(seconds: number | undefined): void {
    const isTurn = (seconds === undefined) !== (this.#hold === undefined);
    this.#hold = seconds;
    if (!isTurn) return;
    this.#goesAhead = true;
    this.#agreeAnew();
  }

  told(status: StreamStatus): void {
    this.#status = status;
    if (status.held) this.#edge.interrupted();
  }

  nudge(isServerBack: boolean): void {
    if (this.#askAgain) return this.#askAgain();
    // A server that was started anew knows nothing of this session.
    const isStill = this.#shown !== undefined && performance.now() - this.#shown > FLOWING_MS;
    if (isServerBack && isStill) this.#renew();
  }

  anchor(pts: number): void {
    this.#clock.anchor(pts);
  }

  close(): void {
    if (this.#over.signal.aborted) return;
    this.#over.abort();
    globalThis.removeEventListener('pagehide', this.#leave);
    clearInterval(this.#look);
    for (const timer of this.#timers) clearTimeout(timer);
    this.#frames.close();
    this.sound.reset();
    this.#peer?.close();
    this.#leave();
    this.#options.video.srcObject = null;
  }

  get #isOver(): boolean {
    return this.#over.signal.aborted;
  }

  #fail(why: Setback): void {
    if (this.#isOver) return;
    this.close();
    this.#events.failed(why);
  }

  #after(ms: number, action: () => void): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      action();
    }, ms);
    this.#timers.add(timer);
  }

  /** The server would find out only after half a minute. */
  #leave = (): void => {
    this.#session?.leave();
    this.#session = undefined;
  };

  /** Another session in the place of this one. */
  #renew(): void {
    this.#leave();
    this.#events.reset();
    this.#events.state({ kind: 'connecting' });
    void this.#begin();
  }

  /** Another session for the same pictures: how long one may be kept is agreed on at its beginning. */
  #agreeAnew(): void {
    if (this.#isOver || this.#askAgain) return;
    this.#leave();
    void this.#begin();
  }

  /** The connection broke. Where the server is away, or the publisher, that says nothing against this way. */
  #broke(): void {
    if (this.#status?.isLive !== false) return this.#fail({ kind: 'broken' });
    this.#events.state({ kind: 'lost', retryAt: Date.now() + ASK_AGAIN_MS });
    this.#askLater(ASK_AGAIN_MS, () => this.#renew());
  }

  /** Asks again after a while, or when there may be news. */
  #askLater(ms: number, ask: () => void): void {
    const again = (): void => {
      if (this.#askAgain === again) ask();
    };
    this.#askAgain = again;
    this.#after(ms, again);
  }

  async #begin(): Promise<void> {
    if (this.#isOver) return;
    this.#askAgain = undefined;
    this.#peer?.close();
    this.#watch = new MediaWatch();
    this.#lag.reset();
    this.#frames.reset();
    this.#edge.reset();
    let peer: RTCPeerConnection | undefined;
    try {
      peer = this.#newPeer();
      await peer.setLocalDescription();
      const { origin, stream } = this.#options;
      const signal = AbortSignal.any([this.#over.signal, AbortSignal.timeout(ANSWER_MS)]);
      const offer = peer.localDescription?.sdp ?? '';
      const door = doorAddress(origin, stream, 'whep');
      const isPrompt = this.#hold === undefined && this.#goesAhead;
      const session = await beginWhep(isPrompt ? `${door}?maxDelay=${PROMPT_MS}` : door, offer, signal);
      if (this.#isOver || peer !== this.#peer) return session.leave();
      this.#session = session;
      const answered = answeredTracks(session.answer);
      if (!(await this.#suffices(answered)) || this.#isOver) return;
      await peer.setRemoteDescription({ type: 'answer', sdp: session.answer });
      if (this.#isOver || peer !== this.#peer) return;
      this.#play(peer);
      this.#events.state({ kind: 'open' });
      this.#after(CONNECT_MS, () => {
        if (peer === this.#peer && peer?.connectionState !== 'connected') this.#fail({ kind: 'udp' });
      });
    } catch (error) {
      if (!peer) this.#fail({ kind: 'missing' });
      else if (this.#isOver || peer !== this.#peer) return;
      // The server did its part, and the browser does not take it.
      else if (this.#session) this.#fail({ kind: 'broken' });
      else this.#refused(error);
    }
  }

  /** With all its tracks at once: an element that was given none does not notice sound that is added alone. */
  #play(peer: RTCPeerConnection): void {
    const coming = peer.getTransceivers().filter(({ currentDirection }) => currentDirection === 'recvonly');
    // From the first packet on: later changes take their time.
    this.#steer(peer);
    // What it measured was the sound of the connection before.
    this.sound.reset();
    this.#options.video.srcObject = new MediaStream(coming.map(({ receiver }) => receiver.track));
    void this.sound.play();
  }

  #newPeer(): RTCPeerConnection {
    const peer = new RTCPeerConnection();
    this.#peer = peer;
    peer.addTransceiver('video', { direction: 'recvonly' });
    peer.addTransceiver('audio', { direction: 'recvonly' });
    let wasConnected = false;
    peer.addEventListener('connectionstatechange', () => {
      if (peer !== this.#peer) return;
      switch (peer.connectionState) {
        case 'connected':
          wasConnected = true;
          break;
        case 'failed':
        case 'closed':
          if (wasConnected) this.#broke();
          else this.#fail({ kind: 'udp' });
          break;
        case 'disconnected':
          this.#after(DISCONNECTED_MS, () => {
            if (peer === this.#peer && peer.connectionState === 'disconnected') this.#broke();
          });
          break;
        default:
      }
    });
    return peer;
  }

  /** Says which tracks come. A stream whose sound comes another way is better taken that way. */
  async #suffices(answered: readonly TrackInfo[]): Promise<boolean> {
    const { origin, stream, chosen } = this.#options;
    const unsupported: UnsupportedTrack[] = [];
    if (!answered.some(({ kind }) => kind === 'audio')) {
      const tracks = await streamTracks(origin, stream, this.#over.signal);
      const sound = tracks.find(({ kind }) => kind === 'audio');
      if (sound && !chosen) {
        this.#fail({ kind: 'sound', codec: sound.codec });
        return false;
      }
      if (sound) unsupported.push({ kind: 'audio', codec: sound.codec, reason: '' });
    }
    if (!this.#isOver) this.#events.tracks(answered, unsupported);
    return true;
  }

  #refused(error: unknown): void {
    const next = afterRefusal(error, this.#shown !== undefined, Date.now());
    if (isSetback(next)) return this.#fail(next);
    this.#events.state(next);
    this.#askLater(ASK_AGAIN_MS, () => void this.#begin());
  }

  #frame({ rtpTimestamp, receiveTime, isNewer, ...frame }: VideoElementFrame): void {
    if (rtpTimestamp === undefined) {
      // Without its timestamp no box can be put on it; a browser that never tells is of no use for boxes at all. What an
      // element shows last of a connection that was closed, before the next one is there, has none in any browser.
      if (isNewer || this.#peer?.connectionState !== 'connected') return;
      if (!this.#options.chosen) return this.#fail({ kind: 'unmarked' });
      this.#events.playing();
      return this.#events.frame({ ...frame, pts: undefined });
    }
    const now = performance.now();
    const pts = this.#clock.pts(rtpTimestamp);
    this.#edge.observe(receiveTime ?? now, pts / 90_000);
    const edge = this.#edge.edge(now);
    if (edge !== undefined) this.#latency = edge - pts / 90_000;
    this.#shown = now;
    this.#events.playing();
    this.#events.frame({ ...frame, pts });
  }

  async #lookAfter(): Promise<void> {
    const peer = this.#peer;
    if (this.#isOver || peer?.connectionState !== 'connected') return;
    this.#steer(peer);
    const { counts, playout } = read(await peer.getStats());
    if (this.#isOver || peer !== this.#peer) return;
    this.#events.drops({ video: counts.lost, audio: 0 });
    // A page that is hidden need not be given pictures.
    const isDue = !document.hidden && (this.#status?.isLive ?? true);
    const why = this.#watch.update(performance.now(), counts, isDue);
    if (why) return this.#fail(why);
    const isAhead = this.#hold === undefined && this.#goesAhead && !this.sound.muted;
    if (isAhead && this.#lag.update(performance.now(), playout)) {
      this.#goesAhead = false;
      return this.#agreeAnew();
    }
    // Sound alone shows no frame that would say so.
    if (counts.received === 0 && counts.packets > 0 && !hasVideo(peer)) {
      this.#latency = NEAREST_S;
      this.#events.playing();
    }
  }

  #steer(peer: RTCPeerConnection): void {
    const target = this.#jitter.update(performance.now(), this.#hold || undefined, this.#latency);
    for (const receiver of peer.getReceivers()) {
      if (receiver.jitterBufferTarget !== (target ?? null)) receiver.jitterBufferTarget = target ?? null;
    }
  }
}

/**
 * Seconds. The browser can be asked for more, and does it by 0.1 s in a second; but it moves the sound first and the picture
 * behind it, and Chromium has them up to 0.4 s apart on the way.
 */
const LONGEST_STEADY_S = 0.8;

/** What {@link PlayerSource.longestHold} is over WebRTC here: older browsers play as soon as they can, whatever is asked. */
export function longestWebRtcHold(): number {
  const Receiver = (globalThis as { RTCRtpReceiver?: typeof RTCRtpReceiver }).RTCRtpReceiver;
  return Receiver && 'jitterBufferTarget' in Receiver.prototype ? LONGEST_STEADY_S : 0;
}

function hasVideo(peer: RTCPeerConnection): boolean {
  return peer
    .getTransceivers()
    .some(
      ({ receiver, currentDirection }) => receiver.track.kind === 'video' && currentDirection === 'recvonly',
    );
}

type Counts = MediaCounts & { readonly lost: number };

function read(report: RTCStatsReport): { readonly counts: Counts; readonly playout: Playout } {
  const counts = { packets: 0, received: 0, decoded: 0, keyframeRequests: 0, lost: 0 };
  const playout: { audio?: number | undefined; video?: number | undefined } = {};
  for (const stat of report.values() as Iterable<RTCStats>) {
    if (stat.type !== 'inbound-rtp') continue;
    const inbound = stat as RTCInboundRtpStreamStats;
    counts.packets += inbound.packetsReceived ?? 0;
    counts.received += inbound.framesReceived ?? 0;
    counts.decoded += inbound.framesDecoded ?? 0;
    counts.keyframeRequests += inbound.pliCount ?? 0;
    counts.lost += inbound.framesDropped ?? 0;
    if (inbound.kind === 'audio' || inbound.kind === 'video') {
      playout[inbound.kind] = inbound.estimatedPlayoutTimestamp;
    }
  }
  return { counts, playout };
}
