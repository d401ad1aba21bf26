import { AacPacketizer } from '#codecs/rtp/aac.ts';
import { Ac3Packetizer } from '#codecs/rtp/ac3.ts';
import { Av1Packetizer } from '#codecs/rtp/av1.ts';
import type { Packetizer } from '#codecs/rtp/contract.ts';
import { G711Packetizer } from '#codecs/rtp/g711.ts';
import { H264Packetizer } from '#codecs/rtp/h264.ts';
import { H265Packetizer } from '#codecs/rtp/h265.ts';
import { MPA_CLOCK_RATE, Mp3Packetizer } from '#codecs/rtp/mp3.ts';
import { Mpeg4Packetizer } from '#codecs/rtp/mpeg4.ts';
import { OpusPacketizer } from '#codecs/rtp/opus.ts';
import { Vp8Packetizer } from '#codecs/rtp/vp8.ts';
import { Vp9Packetizer } from '#codecs/rtp/vp9.ts';
import type { AccessUnit } from '#media/access-unit.ts';
import { rescale, rtpTimestamp } from '#media/timestamps.ts';
import { isAudio, type Track } from '#media/track.ts';
import { buildSenderReport } from '../rtcp/packet.ts';
import { RTP_HEADER_SIZE, writeRtpHeader } from './packet.ts';

export interface RtpTrackSenderOptions {
  readonly track: Track;
  /** As in the SDP: `payloadTypeOf(track)`. */
  readonly payloadType: number;
  readonly ssrc: number;
  /** Of the first packet, 16 bits. */
  readonly sequence: number;
  /** Largest RTP packet, header included, without any framing around it. */
  readonly maxPacketSize: number;
  /** Canonical name in the reports (RFC 3550 section 6.5.1), the same for all tracks of a stream; one that may change is asked each time. */
  readonly cname?: string | (() => string);
}

/**
 * The RTP packets of one access unit, one behind the other in one buffer. Before each packet `headroom` bytes are left
 * free for a framing: packet i lies at `offset_i + headroom`, where `offset_0 = 0` and
 * `offset_(i+1) = offset_i + headroom + sizes[i]`.
 */
export interface RtpBatch {
  readonly bytes: Buffer;
  readonly sizes: readonly number[];
}

/** Turns the access units of one track into RTP packets and sender reports. */
export class RtpTrackSender {
  readonly ssrc: number;
  readonly payloadType: number;
  readonly #packetizer: Packetizer;
  readonly #maxPayloadSize: number;
  readonly #cname: () => string;
  readonly #track: Track;
  #sequence: number;
  #packets = 0;
  #bytes = 0;
  #position: Pick<AccessUnit, 'pts' | 'ntp'> | undefined;

  /** Throws a RangeError for a track that has no RTP payload format. */
  constructor(options: RtpTrackSenderOptions) {
    this.ssrc = options.ssrc;
    this.payloadType = options.payloadType;
    this.#track = options.track;
    this.#packetizer = packetizerFor(options.track);
    this.#maxPayloadSize = options.maxPacketSize - RTP_HEADER_SIZE;
    const { cname = 'sluice' } = options;
    this.#cname = typeof cname === 'string' ? () => cname : cname;
    this.#sequence = options.sequence & 0xffff;
  }

  /** Sequence number of the next packet (`seq` of RTP-Info). */
  get sequence(): number {
    return this.#sequence;
  }

  /** The packets of an access unit; each byte of media is copied once, into the buffer that is returned. */
  packetize(unit: AccessUnit, headroom = 0): RtpBatch {
    const payloads = this.#packetizer.packetize(unit.payload, this.#maxPayloadSize);
    const sizes: number[] = [];
    let total = 0;
    for (const { parts } of payloads) {
      let size = RTP_HEADER_SIZE;
      for (const part of parts) size += part.length;
      sizes.push(size);
      total += headroom + size;
    }
    const bytes = Buffer.allocUnsafe(total);
    const time = rtpTimeOf(this.#track, unit.pts);
    let at = 0;
    for (const { parts, marker, timestampOffset } of payloads) {
      at += headroom;
      writeRtpHeader(bytes, at, {
        payloadType: this.payloadType,
        marker,
        sequence: this.#sequence,
        timestamp: rtpTimestamp(time + timestampOffset),
        ssrc: this.ssrc,
      });
      this.#sequence = (this.#sequence + 1) & 0xffff;
      at += RTP_HEADER_SIZE;
      for (const part of parts) at += part.copy(bytes, at);
    }
    this.#packets += payloads.length;
    this.#bytes += total - payloads.length * (headroom + RTP_HEADER_SIZE);
    this.#position = { pts: unit.pts, ntp: unit.ntp };
    return { bytes, sizes };
  }

  /**
   * A sender report (SR and SDES) that ties the capture clock to RTP time at `position`, by default the last unit that
   * was packetized: give the first unit to send a report in front of it. Undefined without a position. As both numbers
   * are the unit's own, nothing is rounded, and two reports agree as long as the mapping does not slew.
   */
  senderReport(position: Pick<AccessUnit, 'pts' | 'ntp'> | undefined = this.#position): Buffer | undefined {
    if (!position) return undefined;
    return buildSenderReport({
      ssrc: this.ssrc,
      ntp: position.ntp,
      rtpTimestamp: rtpTimestamp(rtpTimeOf(this.#track, position.pts)),
      packets: this.#packets,
      bytes: this.#bytes,
      cname: this.#cname(),
    });
  }
}

/** Ticks on the clock that a track has over RTP, which of MPEG audio is its own. */
export function rtpTimeOf({ format, clockRate }: Track, pts: number): number {
  return format.codec === 'mp3' ? rescale(pts, clockRate, MPA_CLOCK_RATE) : pts;
}

function packetizerFor(track: Track): Packetizer {
  switch (track.format.codec) {
    case 'h264':
      return new H264Packetizer();
    case 'h265':
      return new H265Packetizer();
    case 'av1':
      return new Av1Packetizer();
    case 'vp9':
      return new Vp9Packetizer();
    case 'vp8':
      return new Vp8Packetizer();
    case 'mpeg4':
      return new Mpeg4Packetizer();
    case 'mp3':
      return new Mp3Packetizer();
    case 'aac':
      return new AacPacketizer();
    case 'ac3':
      return new Ac3Packetizer();
    case 'opus':
      return new OpusPacketizer();
    case 'pcma':
    case 'pcmu':
      return new G711Packetizer(isAudio(track) ? track.format.channels : 1);
    default:
      throw new RangeError(`There is no RTP payload format for ${track.format.codec}.`);
  }
}
