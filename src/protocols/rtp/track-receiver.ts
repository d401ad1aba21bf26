import { ac3TrackOf } from '#codecs/ac3.ts';
import { VideoIngest } from '#codecs/ingest.ts';
import { mp3TrackOf } from '#codecs/mp3.ts';
import type { CodedFrame, Depacketizer } from '#codecs/rtp/contract.ts';
import type { AccessUnit } from '#media/access-unit.ts';
import type { ClockState, StreamClock, TrackClock } from '#media/clock-mapping.ts';
import { isClockName } from '#media/clock-name.ts';
import { isAudio, isVideo, type Track } from '#media/track.ts';
import type { Clock } from '#util/clock.ts';
import { parseRtcp, type ReportBlock, type SenderReport, type SourceDescription } from '../rtcp/packet.ts';
import type { SdpMedia } from '../sdp/sdp.ts';
import { depacketizerFor } from '../sdp/tracks.ts';
import { parseRtp, type RtpPacket } from './packet.ts';
import { Reception } from './reception.ts';
import { ReorderBuffer } from './reorder.ts';
import { RtpTimeline } from './rtp-timeline.ts';

export interface RtpTrackReceiverOptions {
  readonly media: SdpMedia;
  /** As `trackFromMedia(media, id)` made it. */
  readonly track: Track;
  /** Shared by all tracks of the publisher. */
  readonly clock: StreamClock;
  readonly onUnit: (unit: AccessUnit) => void;
  /** The format changed; called before the first unit that carries the new track. */
  readonly onTrack?: (track: Track) => void;
  /** Packets may arrive in another order than they were sent (UDP): they wait for each other so long, 100 ms by default. */
  readonly reorder?: { readonly clock: Clock; readonly holdMs?: number };
  /** Called for each picture that is let go because of a loss before it: a keyframe would end that. */
  readonly onConcealed?: () => void;
}

/** What a receiver has seen. */
export interface RtpCounters {
  packets: number;
  bytes: number;
  /** Packets that never came, or too late. */
  lost: number;
  /** Packets that came too late (counted under `lost` before), and those that came twice; where order is restored. */
  late: number;
  duplicate: number;
  /** Complete pictures let go because one before them was lost: they wait for the next keyframe. */
  concealed: number;
  /** Packets and frames that were unusable; without restored order late and doubled packets as well. */
  discarded: number;
}

/**
 * Turns the RTP and RTCP packets of one track of a publisher into access units.
 *
 * The bytes handed over belong to the receiver from then on: the payload of a unit is slices of them, not copies. So
 * give it buffers that are never written again (a chunk from a socket's 'data' event is one).
 *
 * A lost packet costs the frame that it belonged to; of video also what follows up to the next keyframe, because it
 * cannot be decoded. That is decided here and not in the ingest, which knows neither packets nor their order, and for
 * all transports alike: over TCP a publisher's own gaps show.
 */
export class RtpTrackReceiver {
  readonly #counters = { packets: 0, bytes: 0, lost: 0, concealed: 0, discarded: 0 };
  readonly #options: RtpTrackReceiverOptions;
  readonly #depacketizer: Depacketizer;
  readonly #ingest: VideoIngest | undefined;
  readonly #clock: TrackClock;
  readonly #timeline: RtpTimeline;
  readonly #reception: Reception;
  readonly #reorder: ReorderBuffer | undefined;
  #track: Track;
  #clockName: string | undefined;
  #ssrc: number | undefined;
  #sequence: number | undefined;
  #lastDts: number | undefined;
  #waitingReport: { rtpTimestamp: number; ntp: number; now: number } | undefined;
  /** Frames given up so far by the depacketizer, and by the ingest, as far as they are counted. */
  #broken = 0;
  #dropped = 0;
  /** Video waits for a keyframe. */
  #waits: boolean;
  /** Presentation time of the keyframe after which video goes on: what is shown before it may need what was lost. */
  #resumedAt: number | undefined;

  constructor(options: RtpTrackReceiverOptions) {
    const { media, track, clock } = options;
    this.#options = options;
    this.#track = track;
    this.#depacketizer = depacketizerFor(media, track);
    this.#ingest = isVideo(track) ? new VideoIngest(track) : undefined;
    this.#clock = clock.track(track.id, track.clockRate);
    this.#timeline = new RtpTimeline(track.clockRate);
    this.#reception = new Reception(track.clockRate);
    this.#reorder =
      options.reorder &&
      new ReorderBuffer({ ...options.reorder, deliver: (packet, now) => this.#take(packet, now) });
    // Where packets get lost, those before the first one may have been.
    this.#waits = this.#reorder !== undefined && this.#ingest !== undefined;
  }

  get counters(): Readonly<RtpCounters> {
    const { late, duplicate } = this.#reorder?.counters ?? { late: 0, duplicate: 0 };
    return { ...this.#counters, late, duplicate };
  }

  /** The track with its newest format. */
  get track(): Track {
    return this.#track;
  }

  /** How the clock of the track runs. */
  get clock(): ClockState {
    const name = this.#clockName;
    return name === undefined ? this.#clock.state : { ...this.#clock.state, name };
  }

  /** Synchronisation source of the publisher; undefined before its first packet. */
  get ssrc(): number | undefined {
    return this.#ssrc;
  }

  /** One RTP packet that arrived at `now` (ms since 1970). Anything else is counted and left out. */
  receiveRtp(bytes: Buffer, now: number): void {
    const packet = parseRtp(bytes);
    // Payload types are not compared with the SDP's: some cameras announce 96 and send 97.
    if (!packet) {
      this.#counters.discarded++;
      return;
    }
    this.#counters.packets++;
    this.#counters.bytes += bytes.length;
    this.#reception.packet(packet, now);
    if (this.#reorder) this.#reorder.push(packet);
    else this.#take(packet, now);
  }

  /** One compound RTCP packet that arrived at `now` (ms since 1970). */
  receiveRtcp(bytes: Buffer, now: number): void {
    // The source is not compared with the packets': some cameras put 0 there, and only one track comes this way.
    for (const packet of parseRtcp(bytes)) {
      if (packet.type === 'sender-report') this.senderReport(packet, now);
      else if (packet.type === 'source-description') this.#describe(packet);
    }
  }

  /** A sender report of this track that arrived at `now` (ms since 1970). */
  senderReport({ rtpTimestamp, ntp }: Pick<SenderReport, 'rtpTimestamp' | 'ntp'>, now: number): void {
    if (ntp === undefined) return;
    this.#reception.senderReport(ntp, now);
    const ticks = this.#timeline.relate(rtpTimestamp);
    if (ticks === undefined) this.#waitingReport = { rtpTimestamp, ntp, now };
    else this.#clock.report(ticks, ntp, now);
  }

  /** What the publisher is told about its packets (RFC 3550 section 6.4.1); undefined before the first. */
  report(now: number): ReportBlock | undefined {
    return this.#reception.report(now);
  }

  /** Forgets packets that wait for others. Idempotent. */
  close(): void {
    this.#reorder?.close();
  }

  #describe({ sources }: SourceDescription): void {
    const cname = sources[0]?.cname;
    if (cname !== undefined) this.#clockName = isClockName(cname) ? cname : undefined;
  }

  /** The next packet in order. */
  #take(packet: RtpPacket, now: number): void {
    const lost = this.#gap(packet);
    if (lost === undefined) return;
    this.#applyWaitingReport(packet.timestamp);
    const { payload, marker, timestamp } = packet;
    if (lost) this.#conceal();
    const frames = this.#depacketizer.push({ payload, marker, timestamp, lost });
    // A picture with a hole in it that no missing packet explains; whether it stood before or after a frame that came
    // with it is not known, so neither ends the wait.
    const broken = this.#depacketizer.dropped > this.#broken;
    this.#broken = this.#depacketizer.dropped;
    if (broken) this.#conceal();
    for (const frame of frames) this.#emit(frame, now);
    if (broken) this.#conceal();
    const dropped = this.#broken + (this.#ingest?.dropped ?? 0);
    this.#counters.discarded += dropped - this.#dropped;
    this.#dropped = dropped;
  }

  #conceal(): void {
    this.#waits = this.#ingest !== undefined;
  }

  /** Whether a picture must be let go, because it cannot be decoded without what was lost. */
  #isConcealed(keyframe: boolean, pts: number): boolean {
    if (keyframe) {
      this.#resumedAt = this.#waits ? pts : undefined;
      this.#waits = false;
      return false;
    }
    if (this.#waits) return true;
    if (this.#resumedAt === undefined) return false;
    // Pictures that are decoded after the keyframe and shown before it (open groups of pictures) point back over it.
    if (pts < this.#resumedAt) return true;
    this.#resumedAt = undefined;
    return false;
  }

  /** True when packets are missing before this one; undefined for one to leave out (late or twice). */
  #gap(packet: RtpPacket): boolean | undefined {
    const changed = this.#ssrc !== undefined && packet.ssrc !== this.#ssrc;
    const expected = this.#sequence;
    this.#ssrc = packet.ssrc;
    if (changed || expected === undefined) {
      this.#sequence = (packet.sequence + 1) & 0xffff;
      return changed;
    }
    const ahead = (packet.sequence - expected) & 0xffff;
    if (ahead >= 0xff00) {
      this.#counters.discarded++;
      return undefined;
    }
    this.#sequence = (packet.sequence + 1) & 0xffff;
    // A leap over more than half the range is a sender that began anew, not thousands of losses.
    if (ahead > 0 && ahead < 0x8000) this.#counters.lost += ahead;
    return ahead > 0;
  }

  /** A report that came before the first packet holds from that packet on. */
  #applyWaitingReport(firstTimestamp: number): void {
    const report = this.#waitingReport;
    if (!report) return;
    this.#waitingReport = undefined;
    this.#timeline.begin(firstTimestamp);
    const ticks = this.#timeline.relate(report.rtpTimestamp);
    if (ticks !== undefined) this.#clock.report(ticks, report.ntp, report.now);
  }

  #emit(frame: CodedFrame, now: number): void {
    const pts = this.#timeline.unwrap(frame.timestamp, now);
    if (this.#ingest) {
      const picture = this.#ingest.push(frame.payload, pts);
      if (!picture) return;
      const { track, dts, keyframe, payload } = picture;
      this.#change(track);
      const ntp = this.#clock.captureAt(pts, now);
      if (this.#isConcealed(keyframe, pts)) {
        this.#counters.concealed++;
        this.#options.onConcealed?.();
        return;
      }
      this.#options.onUnit({ track, pts, dts, keyframe, ntp, payload });
      return;
    }
    if (this.#lastDts !== undefined && pts <= this.#lastDts) {
      this.#counters.discarded++;
      return;
    }
    this.#lastDts = pts;
    const { keyframe, payload } = frame;
    // The description names the codec alone, the frames say how they are coded.
    if (isAudio(this.#track)) {
      const { codec } = this.#track.format;
      if (codec === 'ac3') this.#change(ac3TrackOf(this.#track, payload[0]));
      if (codec === 'mp3') this.#change(mp3TrackOf(this.#track, payload[0]));
    }
    this.#options.onUnit({
      track: this.#track,
      pts,
      dts: pts,
      keyframe,
      ntp: this.#clock.captureAt(pts, now),
      payload,
    });
  }

  #change(track: Track): void {
    if (track === this.#track) return;
    this.#track = track;
    this.#options.onTrack?.(track);
  }
}
