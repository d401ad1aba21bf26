import type { AccessUnit } from '#media/access-unit.ts';
import { StreamClock } from '#media/clock-mapping.ts';
import type { Track } from '#media/track.ts';
import type { Clock } from '#util/clock.ts';
import { RateLimit } from '#util/rate-limit.ts';
import { buildNack, buildRemb, parseRtcp } from '../rtcp/packet.ts';
import { TransportFeedback } from '../rtcp/transport-feedback.ts';
import { headerExtension } from '../rtp/header-extension.ts';
import { LossRequests } from '../rtp/loss-requests.ts';
import { buildRtp, parseRtp } from '../rtp/packet.ts';
import { ReceiverReports } from '../rtp/receiver-reports.ts';
import { RtpTrackReceiver } from '../rtp/track-receiver.ts';
import { type ReceivedTrack, usesRemb, usesTransportFeedback } from '../sdp/webrtc-receive.ts';

/** How long packets wait for one that is sent again, ms. Where nothing is lost, or asked for, nothing waits so long. */
const HOLD_MS = 500;
/** Between two looks at what is missing or has arrived. */
const TICK_MS = 20;
/** Between two reports of arrivals: as Chromium sends them itself. */
const ARRIVALS_MS = 60;
/** Receiver reports tell a sender of losses, by which it slows down. */
const REPORT_MS = 1000;
/** What senders without newer feedback are told they may send, bit/s: they slow down by their losses alone. */
const REMB_BITRATE = 20_000_000;
/** Keyframe requests a second, at most. */
const MAX_KEYFRAME_REQUESTS = 2;
/** A source that was silent for so long may be replaced by another one under the same payload type. */
const SOURCE_SILENT_MS = 1000;

export interface MediaReceiverOptions {
  readonly tracks: readonly ReceivedTrack[];
  readonly clock: Clock;
  readonly sendRtcp: (packet: Buffer) => void;
  readonly onUnit: (unit: AccessUnit) => void;
  /** The format of a track changed; called before its first unit. */
  readonly onTrack: (track: Track) => void;
  /** All sources that were heard have said goodbye. */
  readonly onGoodbye: () => void;
}

interface Source {
  readonly announced: ReceivedTrack;
  readonly receiver: RtpTrackReceiver;
  readonly losses: LossRequests | undefined;
  ssrc: number | undefined;
  heardAt: number;
}

/**
 * The receiving side of a WebRTC connection: packets of all tracks become access units, and their sender is told what is
 * missing (NACK), that a keyframe is wanted (PLI), how much is lost, and when everything arrived. Without I/O.
 */
export class MediaReceiver {
  readonly #options: MediaReceiverOptions;
  readonly #sources: readonly Source[];
  readonly #byPayloadType: ReadonlyMap<number, Source>;
  /** By the payload types under which packets are sent again. */
  readonly #resent: ReadonlyMap<number, Source>;
  readonly #reports: ReceiverReports;
  readonly #arrivals: TransportFeedback | undefined;
  readonly #sequenceExtension: number | undefined;
  readonly #keyframeRequests = new RateLimit(MAX_KEYFRAME_REQUESTS);
  #arrivalsToldAt = 0;
  #cancelTick: (() => void) | undefined;
  #cancelRemb: (() => void) | undefined;
  #closed = false;

  constructor(options: MediaReceiverOptions) {
    this.#options = options;
    const { tracks, clock, sendRtcp } = options;
    const streamClock = new StreamClock();
    this.#sources = tracks.map((announced) => {
      const { media, track, format } = announced;
      const losses = format.feedback.includes('nack') ? new LossRequests(HOLD_MS) : undefined;
      const receiver = new RtpTrackReceiver({
        media,
        track,
        clock: streamClock,
        onUnit: options.onUnit,
        onTrack: options.onTrack,
        onConcealed: () => this.requestKeyframe(),
        reorder: { clock, ...(losses && { holdMs: HOLD_MS }) },
      });
      return { announced, receiver, losses, ssrc: undefined, heardAt: 0 };
    });
    this.#byPayloadType = new Map(
      this.#sources.map((source) => [source.announced.format.payloadType, source]),
    );
    this.#resent = new Map(
      this.#sources.flatMap((source) => {
        const { again } = source.announced;
        return again ? [[again.payloadType, source]] : [];
      }),
    );
    const arriving = tracks.find(usesTransportFeedback);
    this.#sequenceExtension = arriving?.sequenceExtension;
    this.#arrivals = arriving && new TransportFeedback();
    this.#reports = new ReceiverReports({
      clock,
      tracks: this.#sources.map(({ receiver, announced }) => ({
        receiver,
        channel: 0,
        understandsPli: announced.format.feedback.includes('nack pli'),
      })),
      send: (_, packet) => sendRtcp(packet),
      intervalMs: REPORT_MS,
    });
    if (tracks.some(usesRemb)) this.#remb();
  }

  /** The tracks with their newest formats. */
  get tracks(): readonly Track[] {
    return this.#sources.map(({ receiver }) => receiver.track);
  }

  /** What a hub may ask of who publishes these tracks. */
  get hooks() {
    return { ...this.#reports.hooks, requestKeyframe: () => this.requestKeyframe() };
  }

  /** An RTP packet in clear, whose bytes belong to the receiver from now on. */
  receiveRtp(bytes: Buffer): void {
    if (this.#closed || bytes.length < 12) return;
    const now = this.#options.clock.now();
    const { ssrc, payloadType, sequence } = readHeader(bytes);
    if (this.#arrivals && this.#sequenceExtension !== undefined) {
      const element = headerExtension(bytes, this.#sequenceExtension);
      if (element?.length === 2) {
        this.#arrivals.packet(element.readUInt16BE(0), now);
        this.#arm();
      }
    }
    const again = this.#resent.get(payloadType);
    if (again) {
      const original = originalOf(bytes, again);
      if (original) this.#take(again, original, original.readUInt16BE(2), now);
      return;
    }
    const source = this.#byPayloadType.get(payloadType);
    if (!source || !isOf(source, ssrc, now)) return;
    if (source.ssrc !== ssrc) source.losses?.reset();
    source.ssrc = ssrc;
    source.heardAt = now;
    this.#take(source, bytes, sequence, now);
  }

  /** A compound RTCP packet in clear. */
  receiveRtcp(bytes: Buffer): void {
    if (this.#closed) return;
    const now = this.#options.clock.now();
    for (const packet of parseRtcp(bytes)) {
      if (packet.type === 'sender-report') this.#sourceOf(packet.ssrc)?.receiver.senderReport(packet, now);
      else if (packet.type === 'goodbye') this.#goodbye(packet.ssrcs);
    }
  }

  /** Asks for a keyframe, where the sender understands that; throttled. */
  requestKeyframe(): void {
    if (this.#closed || !this.#keyframeRequests.take(this.#options.clock.now())) return;
    this.#reports.requestKeyframe();
  }

  /** Idempotent. */
  close(): void {
    this.#closed = true;
    this.#cancelTick?.();
    this.#cancelRemb?.();
    this.#reports.close();
    for (const { receiver } of this.#sources) receiver.close();
  }

  #take(source: Source, packet: Buffer, sequence: number, now: number): void {
    source.losses?.packet(sequence, now);
    if (source.losses?.pending) this.#arm();
    source.receiver.receiveRtp(packet, now);
  }

  /** The source of a report; before its first packet by what was announced. */
  #sourceOf(ssrc: number): Source | undefined {
    return (
      this.#sources.find((source) => source.ssrc === ssrc) ??
      this.#sources.find(({ ssrc: heard, announced }) => heard === undefined && announced.ssrcs[0] === ssrc)
    );
  }

  #goodbye(ssrcs: readonly number[]): void {
    for (const source of this.#sources) {
      if (source.ssrc !== undefined && ssrcs.includes(source.ssrc)) source.heardAt = Number.NEGATIVE_INFINITY;
    }
    const heard = this.#sources.filter(({ ssrc }) => ssrc !== undefined);
    if (heard.length > 0 && heard.every(({ heardAt }) => heardAt === Number.NEGATIVE_INFINITY)) {
      this.#options.onGoodbye();
    }
  }

  #arm(): void {
    this.#cancelTick ??= this.#options.clock.after(TICK_MS, () => {
      this.#cancelTick = undefined;
      this.#tick();
    });
  }

  #tick(): void {
    const now = this.#options.clock.now();
    for (const { losses, ssrc } of this.#sources) {
      const due = losses?.due(now) ?? [];
      if (ssrc !== undefined && due.length > 0) {
        this.#reports.feedback(0, (ours) => [buildNack(ours, ssrc, due)]);
      }
      if (losses?.pending) this.#arm();
    }
    const arrivals = this.#arrivals;
    if (!arrivals?.pending) return;
    if (now - this.#arrivalsToldAt < ARRIVALS_MS) return this.#arm();
    this.#arrivalsToldAt = now;
    const media = this.#sources.find(({ ssrc }) => ssrc !== undefined)?.ssrc ?? 0;
    this.#reports.feedback(0, (ours) => arrivals.messages(ours, media, now));
  }

  #remb(): void {
    this.#cancelRemb = this.#options.clock.after(REPORT_MS, () => this.#remb());
    const medias = this.#sources.flatMap(({ ssrc }) => ssrc ?? []);
    if (medias.length > 0) this.#reports.feedback(0, (ours) => [buildRemb(ours, REMB_BITRATE, medias)]);
  }
}

/**
 * Whether a packet is of the source that a track comes from. A sender of several layers that was answered with one sends
 * one; what comes beside it all the same must not be mixed with it.
 */
function isOf(source: Source, ssrc: number, now: number): boolean {
  if (source.ssrc === undefined) {
    const [first] = source.announced.ssrcs;
    // Of several announced sources the first is the one to take; where it never comes, whoever does.
    source.heardAt ||= now;
    return first === undefined || ssrc === first || now - source.heardAt > SOURCE_SILENT_MS;
  }
  return ssrc === source.ssrc || now - source.heardAt > SOURCE_SILENT_MS;
}

/**
 * The packet that is sent again in one of RFC 4588 (section 4: its number stands before its payload); undefined for
 * padding, by which a sender finds out how much goes through.
 */
function originalOf(bytes: Buffer, { ssrc, announced }: Source): Buffer | undefined {
  const packet = parseRtp(bytes);
  if (!packet || packet.payload.length <= 2 || ssrc === undefined) return undefined;
  const { payload } = packet;
  return buildRtp({
    ...packet,
    ssrc,
    payloadType: announced.format.payloadType,
    sequence: payload.readUInt16BE(0),
    payload: payload.subarray(2),
  });
}

function readHeader(bytes: Buffer): { ssrc: number; payloadType: number; sequence: number } {
  return {
    payloadType: bytes.readUInt8(1) & 0x7f,
    sequence: bytes.readUInt16BE(2),
    ssrc: bytes.readUInt32BE(8),
  };
}
