import { VideoIngest } from '#codecs/ingest.ts';
import type { CodedFrame, Depacketizer } from '#codecs/rtp/contract.ts';
import type { AccessUnit } from '#media/access-unit.ts';
import type { StreamClock, TrackClock } from '#media/clock-mapping.ts';
import { isVideo, type Track } from '#media/track.ts';
import { parseRtcp } from '../rtcp/packet.ts';
import type { SdpMedia } from '../sdp/sdp.ts';
import { depacketizerFor } from '../sdp/tracks.ts';
import { parseRtp, type RtpPacket } from './packet.ts';
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
}

/** What a receiver has seen; `lost` by gaps of the sequence numbers, `discarded` packets and frames that were unusable. */
export interface RtpCounters {
  packets: number;
  bytes: number;
  lost: number;
  discarded: number;
}

/**
 * Turns the RTP and RTCP packets of one track of a publisher into access units.
 *
 * The bytes handed over belong to the receiver from then on: the payload of a unit is slices of them, not copies. So
 * give it buffers that are never written again (a chunk from a socket's 'data' event is one).
 */
export class RtpTrackReceiver {
  readonly counters: RtpCounters = { packets: 0, bytes: 0, lost: 0, discarded: 0 };
  readonly #options: RtpTrackReceiverOptions;
  readonly #depacketizer: Depacketizer;
  readonly #ingest: VideoIngest | undefined;
  readonly #clock: TrackClock;
  readonly #timeline: RtpTimeline;
  #track: Track;
  #ssrc: number | undefined;
  #sequence: number | undefined;
  #lastDts: number | undefined;
  #waitingReport: { rtpTimestamp: number; ntp: number; now: number } | undefined;
  /** Frames given up so far by depacketizer and ingest, as far as they are counted. */
  #dropped = 0;

  constructor(options: RtpTrackReceiverOptions) {
    const { media, track, clock } = options;
    this.#options = options;
    this.#track = track;
    this.#depacketizer = depacketizerFor(media, track);
    this.#ingest = isVideo(track) ? new VideoIngest(track) : undefined;
    this.#clock = clock.track(track.id, track.clockRate);
    this.#timeline = new RtpTimeline(track.clockRate);
  }

  /** The track with its newest format. */
  get track(): Track {
    return this.#track;
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
      this.counters.discarded++;
      return;
    }
    this.counters.packets++;
    this.counters.bytes += bytes.length;
    const lost = this.#gap(packet);
    if (lost === undefined) return;
    this.#applyWaitingReport(packet.timestamp);
    const { payload, marker, timestamp } = packet;
    for (const frame of this.#depacketizer.push({ payload, marker, timestamp, lost })) this.#emit(frame, now);
    const dropped = this.#depacketizer.dropped + (this.#ingest?.dropped ?? 0);
    this.counters.discarded += dropped - this.#dropped;
    this.#dropped = dropped;
  }

  /** One compound RTCP packet that arrived at `now` (ms since 1970). */
  receiveRtcp(bytes: Buffer, now: number): void {
    for (const packet of parseRtcp(bytes)) {
      if (packet.type !== 'sender-report' || packet.ntp === undefined) continue;
      // The source is not compared with the packets': some cameras put 0 there, and only one track comes this way.
      const { rtpTimestamp, ntp } = packet;
      const ticks = this.#timeline.relate(rtpTimestamp);
      if (ticks === undefined) this.#waitingReport = { rtpTimestamp, ntp, now };
      else this.#clock.report(ticks, ntp, now);
    }
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
      this.counters.discarded++;
      return undefined;
    }
    this.#sequence = (packet.sequence + 1) & 0xffff;
    // A leap over more than half the range is a sender that began anew, not thousands of losses.
    if (ahead > 0 && ahead < 0x8000) this.counters.lost += ahead;
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
      if (track !== this.#track) {
        this.#track = track;
        this.#options.onTrack?.(track);
      }
      this.#options.onUnit({ track, pts, dts, keyframe, ntp: this.#clock.ntpAt(pts, now), payload });
      return;
    }
    if (this.#lastDts !== undefined && pts <= this.#lastDts) {
      this.counters.discarded++;
      return;
    }
    this.#lastDts = pts;
    const { keyframe, payload } = frame;
    this.#options.onUnit({
      track: this.#track,
      pts,
      dts: pts,
      keyframe,
      ntp: this.#clock.ntpAt(pts, now),
      payload,
    });
  }
}
