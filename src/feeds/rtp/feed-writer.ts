import type { Chunk, FeedLimits, FeedWriter } from '#hub/feed.ts';
import type { AccessUnit } from '#media/access-unit.ts';
import { rtpTimestamp } from '#media/timestamps.ts';
import type { Track } from '#media/track.ts';
import { RtpTrackSender, rtpTimeOf } from '#protocols/rtp/track-sender.ts';
import type { ChannelPair } from '#protocols/rtsp/application.ts';
import {
  INTERLEAVED_HEADER_SIZE,
  serializeInterleaved,
  writeInterleavedHeader,
} from '#protocols/rtsp/message.ts';
import type { RtpSequence } from './rtp-sequences.ts';

/**
 * Largest RTP packet. TCP would carry more, but players size their buffers for packets as they come over Ethernet,
 * and a gateway can send these on over UDP as they are.
 */
const MAX_PACKET = 1452;

/** Media time between two sender reports of a track. */
const REPORT_MS = 5000;
/** A unit that is so far from where the last report puts it, in ms, is given a report of its own. */
const REPORT_ERROR_MS = 5;

/** One track of a feed and the channels its packets travel on. */
export interface FeedTrack {
  readonly track: Track;
  readonly payloadType: number;
  readonly channels: ChannelPair;
  readonly sequence: RtpSequence;
}

/** Where the packets that a new reader will get begin. */
export interface StartPoint {
  readonly trackId: number;
  readonly sequence: number;
  /** RTP time of the start; undefined before the first unit of the track. */
  readonly timestamp?: number;
}

type Position = Pick<AccessUnit, 'pts' | 'ntp'>;

interface Output {
  readonly track: Track;
  readonly channels: ChannelPair;
  readonly sender: RtpTrackSender;
  readonly sequence: RtpSequence;
  last: Position | undefined;
  reported: Position | undefined;
}

/** The feed keeps the pictures since this keyframe, and gives them to new readers. */
interface GroupOfPictures {
  readonly output: Output;
  readonly start: Position;
  readonly sequence: number;
  bytes: number;
  units: number;
}

/** Identifies the feeds whose bytes are the same: same tracks on the same channels. */
export function feedKey(tracks: readonly Pick<FeedTrack, 'track' | 'channels'>[]): string {
  const parts = tracks.map(({ track, channels: [rtp, rtcp] }) => {
    const channels = rtcp === rtp + 1 ? `${rtp}` : `${rtp}-${rtcp}`;
    return { id: track.id, text: `${track.id}=${channels}` };
  });
  parts.sort((a, b) => a.id - b.id);
  return `rtsp-tcp:${parts.map(({ text }) => text).join(',')}`;
}

/**
 * Writes access units as interleaved RTP: one buffer with all framed packets of a unit, shared by all readers. Sender
 * reports are built from the capture clock of the units themselves; players align the tracks by them.
 */
export class RtspFeedWriter implements FeedWriter {
  readonly #outputs = new Map<number, Output>();
  readonly #limits: FeedLimits;
  #gop: GroupOfPictures | undefined;

  constructor(options: {
    tracks: readonly FeedTrack[];
    limits: FeedLimits;
    cname: string | (() => string);
    /** Largest RTP packet in bytes, where readers need smaller ones. */
    maxPacketSize?: number;
  }) {
    this.#limits = options.limits;
    for (const { track, payloadType, channels, sequence } of options.tracks) {
      const sender = new RtpTrackSender({
        track,
        payloadType,
        ssrc: sequence.ssrc,
        sequence: sequence.next,
        maxPacketSize: options.maxPacketSize ?? MAX_PACKET,
        cname: options.cname,
      });
      this.#outputs.set(track.id, {
        track,
        channels,
        sender,
        sequence,
        last: undefined,
        reported: undefined,
      });
    }
  }

  write(unit: AccessUnit, emit: (chunk: Chunk) => void): void {
    const output = this.#outputs.get(unit.track.id);
    if (!output) return;
    if (needsReport(output, unit)) {
      output.reported = { pts: unit.pts, ntp: unit.ntp };
      const bytes = report(output, unit);
      if (bytes) emit({ bytes, track: unit.track.id, kind: 'data', keyframe: true });
    }
    const first = output.sender.sequence;
    const { bytes, sizes } = output.sender.packetize(unit, INTERLEAVED_HEADER_SIZE);
    if (sizes.length === 0) return;
    let at = 0;
    for (const size of sizes) at = writeInterleavedHeader(bytes, at, output.channels[0], size) + size;
    output.sequence.next = output.sender.sequence;
    output.last = { pts: unit.pts, ntp: unit.ntp };
    const { kind } = unit.track.format;
    if (kind === 'video') this.#follow(output, unit, first, bytes.length);
    emit({ bytes, track: unit.track.id, kind, keyframe: unit.keyframe });
  }

  /** One report per track, all for the moment at which the reader's pictures begin. */
  greeting(): readonly Buffer[] {
    const reports: Buffer[] = [];
    for (const output of this.#outputs.values()) {
      const position = this.#startOf(output);
      const bytes = position && report(output, position);
      if (bytes) reports.push(bytes);
    }
    // One write for all of them.
    return reports.length > 0 ? [Buffer.concat(reports)] : [];
  }

  /** Where a reader that joins now begins, for RTP-Info. */
  startPoints(): StartPoint[] {
    return [...this.#outputs.values()].map((output) => {
      const position = this.#startOf(output);
      return {
        trackId: output.track.id,
        sequence: this.#gop?.output === output ? this.#gop.sequence : output.sender.sequence,
        ...(position && { timestamp: rtpTimestamp(rtpTimeOf(output.track, position.pts)) }),
      };
    });
  }

  /**
   * The instant at which a reader that joins now begins (the keyframe it is given, or now) on this track's clocks. As
   * the position is moved by whole ticks, capture clock and RTP time stay exactly as the track's own units tie them.
   */
  #startOf(output: Output): Position | undefined {
    const { last, track } = output;
    const start = this.#gop?.start.ntp ?? this.#latestNtp();
    if (!last || start === undefined) return undefined;
    if (this.#gop?.output === output) return this.#gop.start;
    const ticks = Math.round(((start - last.ntp) / 1000) * track.clockRate);
    return { pts: last.pts + ticks, ntp: last.ntp + (ticks * 1000) / track.clockRate };
  }

  #latestNtp(): number | undefined {
    let latest: number | undefined;
    for (const { last } of this.#outputs.values()) {
      if (last && (latest === undefined || last.ntp > latest)) latest = last.ntp;
    }
    return latest;
  }

  /** Follows what the feed keeps for new readers, by the same limits. */
  #follow(output: Output, unit: AccessUnit, sequence: number, bytes: number): void {
    if (unit.keyframe) {
      this.#gop = { output, start: { pts: unit.pts, ntp: unit.ntp }, sequence, bytes: 0, units: 0 };
    }
    const gop = this.#gop;
    if (!gop) return;
    gop.bytes += bytes;
    gop.units++;
    if (gop.bytes > this.#limits.gopBytes || gop.units > this.#limits.gopUnits) this.#gop = undefined;
  }
}

/** A reader puts units where the last report says: a new one is due when that is old, or no longer true. */
function needsReport({ reported, track }: Output, { pts, ntp }: Position): boolean {
  if (!reported || Math.abs(ntp - reported.ntp) >= REPORT_MS) return true;
  const expected = reported.ntp + ((pts - reported.pts) * 1000) / track.clockRate;
  return Math.abs(ntp - expected) >= REPORT_ERROR_MS;
}

function report(output: Output, position: Position): Buffer | undefined {
  const packet = output.sender.senderReport(position);
  return packet && serializeInterleaved(output.channels[1], packet);
}
