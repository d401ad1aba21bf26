import type { AccessUnit } from '../../../src/media/access-unit.ts';
import { rescale, rtpTimestamp } from '../../../src/media/timestamps.ts';
import { isVideo, type Track } from '../../../src/media/track.ts';
import { RtpTrackSender } from '../../../src/protocols/rtp/track-sender.ts';
import { buildSdp, payloadTypeOf } from '../../../src/protocols/sdp/build.ts';
import { type CameraClip, withNumber } from './clip.ts';
import type { CameraTrack, FaultCameraOptions } from './options.ts';
import { PacketWay } from './packet-way.ts';
import { type Random, seededRandom } from './random.ts';
import { buildGoodbye, buildSenderReport } from './rtcp.ts';
import { CameraTrackClock, jumped } from './track-clock.ts';

/** The truth about a unit that the camera made. */
export interface CameraUnit {
  readonly track: CameraTrack;
  /** Counted by track from 0. */
  readonly number: number;
  /** True wall clock of its capture, ms since 1970. */
  readonly captured: number;
  /** RTP timestamp. */
  readonly timestamp: number;
  readonly keyframe: boolean;
}

/** What comes out of the camera. */
export type CameraEvent =
  | {
      readonly kind: 'rtp' | 'rtcp';
      /** True time of arrival, ms since the camera's time 0. */
      readonly at: number;
      /** Index of the track: 0 is the picture where there is one. */
      readonly track: number;
      readonly bytes: Buffer;
      /** With RTP: the unit that the packet is of. */
      readonly unit?: CameraUnit;
    }
  | { readonly kind: 'die' | 'end'; readonly at: number };

/** One track on its way through the clip, again and again. */
interface Lane {
  readonly kind: CameraTrack;
  readonly index: number;
  readonly clock: CameraTrackClock;
  readonly start: number;
  track: Track;
  units: readonly AccessUnit[];
  loopTicks: number;
  sender: RtpTrackSender;
  /** Position in the clip, and media ticks of the clip's beginning in this pass. */
  next: number;
  passTicks: number;
  /** Counted over all passes and clips. */
  number: number;
  /** Most ticks from decoding to presentation: a picture cannot be sent before it is captured. */
  reorderTicks: number;
  nextReport: number;
  reports: number;
  changes: { atMs: number; clip: CameraClip }[];
}

const DEFAULT_START = { video: 1_000_000, audio: 50_000_000 };

/**
 * A camera without sockets: gives its packets in the order in which they arrive, with the time of arrival and the truth
 * about what is in them. `next` can be called for ever, unless the camera dies or ends. Deterministic by its seed.
 */
export class FaultCamera {
  readonly options: FaultCameraOptions;
  readonly startedAt: number;
  readonly #random: Random;
  readonly #lanes: Lane[];
  readonly #way: PacketWay;
  #over = false;

  constructor(options: FaultCameraOptions) {
    this.options = options;
    this.startedAt = options.startedAt ?? 1_790_000_000_000;
    this.#random = seededRandom(options.seed ?? 1);
    this.#way = new PacketWay(options.packets ?? {}, this.#random);
    this.#lanes = options.clip.tracks.map((track, index) => this.#lane(track, index));
  }

  get tracks(): readonly Track[] {
    return this.#lanes.map(({ track }) => track);
  }

  /** The description, with parameter sets unless they are only in band. */
  get sdp(): string {
    const bare = this.options.media?.parameterSets === 'in-band';
    const tracks = this.tracks.map((track) =>
      bare && isVideo(track) ? { ...track, format: { ...track.format, parameterSets: [] } } : track,
    );
    return buildSdp(tracks, { sessionName: 'Camera' });
  }

  /** What arrives next; undefined when nothing comes any more. */
  next(): CameraEvent | undefined {
    if (this.#over) return undefined;
    const { stallAtMs, dieAtMs, endAtMs } = this.options.fate ?? {};
    const until = Math.min(...[stallAtMs, dieAtMs, endAtMs].map((ms) => ms ?? Number.POSITIVE_INFINITY));
    for (;;) {
      const lane = this.#lanes.reduce((first, other) =>
        this.#due(other) < this.#due(first) ? other : first,
      );
      const due = Math.min(this.#due(lane), until);
      const arrived = this.#way.take(due);
      if (arrived && arrived.at < until) return arrived;
      if (due >= until) {
        this.#over = true;
        if (until === dieAtMs) return { kind: 'die', at: until };
        return until === endAtMs ? { kind: 'end', at: until } : undefined;
      }
      this.#send(lane);
    }
  }

  /** Everything that arrives before `ms`. */
  *until(ms: number): Generator<CameraEvent> {
    for (let event = this.next(); event; event = this.next()) {
      yield event;
      if (event.at >= ms) return;
    }
  }

  /** RTCP BYE of every track, by index. */
  goodbyes(): Buffer[] {
    return this.#lanes.map(({ sender }) => buildGoodbye(sender.ssrc));
  }

  #lane(track: Track, index: number): Lane {
    const { clip, clocks = {}, reports = {}, media = {} } = this.options;
    const kind: CameraTrack = isVideo(track) ? 'video' : 'audio';
    const fps = (clip.units.filter((unit) => isVideo(unit.track)).length * 1000) / clip.durationMs || 25;
    const lane: Lane = {
      kind,
      index,
      clock: new CameraTrackClock(kind, clocks, fps),
      start: clocks.rtpStart?.[kind] ?? DEFAULT_START[kind],
      track,
      units: [],
      loopTicks: 1,
      sender: this.#sender(track, 0),
      next: 0,
      passTicks: 0,
      number: 0,
      reorderTicks: 0,
      nextReport: (reports.firstMs ?? 0) + (kind === 'audio' ? (reports.audioShiftMs ?? 0) : 0),
      reports: 0,
      changes: [...(media.changes ?? [])],
    };
    if (!(reports.tracks ?? ['video', 'audio']).includes(kind)) lane.nextReport = Number.POSITIVE_INFINITY;
    this.#load(lane, clip, track);
    return lane;
  }

  #sender(track: Track, sequence: number): RtpTrackSender {
    return new RtpTrackSender({
      track,
      payloadType: payloadTypeOf(track) ?? 96,
      ssrc: 0x5100_0000 + track.id,
      sequence,
      maxPacketSize: this.options.packets?.maxSize ?? 1400,
      cname: 'camera',
    });
  }

  /** Puts a clip's track into a lane. */
  #load(lane: Lane, clip: CameraClip, track: Track): void {
    const units = clip.units.filter((unit) => unit.track.id === track.id);
    const step = (units[1]?.pts ?? 0) - (units[0]?.pts ?? 0);
    lane.track = track;
    lane.units = units;
    lane.loopTicks = clip.numbered
      ? (units[units.length - 1]?.pts ?? 0) + step
      : Math.round((clip.durationMs * track.clockRate) / 1000);
    lane.reorderTicks = Math.max(...units.map(({ pts, dts }) => pts - dts));
    lane.next = 0;
  }

  /** True time at which a lane's next unit is sent. */
  #due(lane: Lane): number {
    const unit = lane.units[lane.next];
    if (!unit) return Number.POSITIVE_INFINITY;
    const ticks = lane.passTicks + unit.dts + lane.reorderTicks;
    return Math.max(lane.clock.trueTime((ticks * 1000) / lane.track.clockRate), 0);
  }

  #send(lane: Lane): void {
    const due = this.#due(lane);
    const change = lane.changes[0];
    const unit = lane.units[lane.next];
    if (!unit) return;
    if (change && due >= change.atMs && unit.keyframe) {
      lane.changes.shift();
      const track = change.clip.tracks.find((other) => isVideo(other) === isVideo(lane.track));
      if (track) {
        lane.passTicks = rescale(lane.passTicks + unit.dts, lane.track.clockRate, track.clockRate);
        lane.sender = this.#sender(track, lane.sender.sequence);
        this.#load(lane, change.clip, track);
        return;
      }
    }
    const rate = lane.track.clockRate;
    const captured = lane.clock.trueTime(((lane.passTicks + unit.pts) * 1000) / rate);
    const stamped = lane.start + Math.round((lane.clock.stampTime(captured) * rate) / 1000);
    this.#report(lane, due, captured, stamped);
    const truth: CameraUnit = {
      track: lane.kind,
      number: lane.number,
      captured: this.startedAt + captured,
      timestamp: rtpTimestamp(stamped),
      keyframe: unit.keyframe,
    };
    const sent = { ...unit, pts: stamped, dts: stamped, payload: this.#payload(unit, lane.number) };
    const { bytes, sizes } = lane.sender.packetize(sent);
    let at = 0;
    for (const size of sizes) {
      const packet = bytes.subarray(at, at + size);
      at += size;
      this.#way.send({ kind: 'rtp', at: due, track: lane.index, bytes: packet, unit: truth }, lane.kind);
    }
    lane.number++;
    if (++lane.next < lane.units.length) return;
    lane.next = 0;
    lane.passTicks += lane.loopTicks;
  }

  #payload(unit: AccessUnit, number: number): Buffer[] {
    const { clip, media = {} } = this.options;
    let payload = clip.numbered ? withNumber(unit.payload, number) : [...unit.payload];
    if (unit.track.format.kind !== 'video') return payload;
    const sets = unit.track.format.parameterSets;
    if (media.parameterSets === 'sdp') payload = payload.filter((nal) => !sets.includes(nal));
    const last = payload[payload.length - 1];
    if (last && media.truncateNal && this.#random() < media.truncateNal)
      payload[payload.length - 1] = last.subarray(0, 1 + Math.floor(this.#random() * (last.length - 1)));
    return payload;
  }

  /** A sender report about the moment of a unit, when one is due. */
  #report(lane: Lane, due: number, captured: number, stamped: number): void {
    if (due < lane.nextReport) return;
    const faults = this.options.reports ?? {};
    const interval = faults.intervalMs ?? 5000;
    while (lane.nextReport <= due) lane.nextReport += interval;
    const wall = (faults.wallOffsetMs ?? 0) + jumped(faults.wallJumps, due, lane.kind);
    const jitter = (this.#random() * 2 - 1) * (faults.jitterMs ?? 0);
    const lie = faults.lies?.[lane.kind]?.[lane.reports++] ?? 0;
    const ticks = faults.nominal
      ? lane.start + Math.round((captured * lane.track.clockRate) / 1000)
      : stamped;
    const truth = {
      ntp: this.startedAt + captured + wall + jitter + lie,
      rtpTimestamp: rtpTimestamp(ticks),
    };
    const bytes = buildSenderReport({
      ssrc: lane.sender.ssrc,
      ...truth,
      ...(this.#random() < (faults.falseShare ?? 0) && this.#lie(truth)),
      cname: 'camera',
    });
    this.#way.sendReport(
      { kind: 'rtcp', at: due + (faults.delayMs ?? 0), track: lane.index, bytes },
      lane.kind,
    );
  }

  #lie(truth: { ntp: number; rtpTimestamp: number }): { ntp?: number; rtpTimestamp?: number } {
    switch (this.options.reports?.falseKind ?? 'random') {
      case 'zero-ntp':
        return { ntp: Number.NaN };
      case 'zero-rtp':
        return { rtpTimestamp: 0 };
      case 'off':
        return { ntp: truth.ntp + (this.#random() * 2 - 1) * 10_000 };
      default:
        return {
          ntp: Math.floor(this.#random() * 4e12),
          rtpTimestamp: Math.floor(this.#random() * 2 ** 32),
        };
    }
  }
}
