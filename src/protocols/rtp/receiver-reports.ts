import { randomInt } from 'node:crypto';
import type { Clock } from '#util/clock.ts';
import { buildPictureLossIndication, buildReceiverReport } from '../rtcp/packet.ts';
import type { RtpTrackReceiver } from './track-receiver.ts';

/** Between two receiver reports of a track (RFC 3550 section 6.2: 5 s at least, without a reduced minimum). */
const INTERVAL_MS = 5000;
const CNAME = 'sluice';

/** A track that we receive, as far as its sender is told about it. */
export interface ReportedTrack {
  readonly receiver: RtpTrackReceiver;
  /** Where its RTCP goes. */
  readonly channel: number;
  /** The sender announced that it understands picture loss indications (`a=rtcp-fb: … nack pli`). */
  readonly understandsPli: boolean;
}

/** What a sender is told by RTCP: how its packets arrive, and that a keyframe is wanted. */
export class ReceiverReports {
  readonly #clock: Clock;
  readonly #tracks: readonly ReportedTrack[];
  readonly #send: (channel: number, packet: Buffer) => void;
  readonly #intervalMs: number;
  /** Ours, as a receiver. */
  readonly #ssrc = randomInt(1, 2 ** 32);
  #cancel: () => void;

  /** Reports from now on, every 5 s unless another interval is given. */
  constructor(options: {
    readonly clock: Clock;
    readonly tracks: readonly ReportedTrack[];
    readonly send: (channel: number, packet: Buffer) => void;
    readonly intervalMs?: number;
  }) {
    this.#clock = options.clock;
    this.#tracks = options.tracks;
    this.#send = options.send;
    this.#intervalMs = options.intervalMs ?? INTERVAL_MS;
    this.#cancel = this.#clock.after(this.#intervalMs, () => this.#report());
  }

  /** Asks for a keyframe where that is understood (RFC 4585). How often is the caller's business. */
  requestKeyframe(): void {
    for (const { receiver, channel, understandsPli } of this.#tracks) {
      const media = receiver.ssrc;
      if (!understandsPli || media === undefined) continue;
      this.feedback(channel, (ssrc) => [buildPictureLossIndication(ssrc, media)]);
    }
  }

  /** What a hub may ask of whoever sends these tracks. */
  get hooks() {
    const tracks = this.#tracks;
    return {
      requestKeyframe: tracks.some(({ understandsPli }) => understandsPli)
        ? () => this.requestKeyframe()
        : undefined,
      reception: () =>
        tracks.map(({ receiver: { track, counters } }) => {
          const { packets, lost, late, duplicate, concealed } = counters;
          return { track: track.id, packets, lost, late, duplicate, concealed };
        }),
      clocks: () => tracks.map(({ receiver: { track, clock } }) => ({ track: track.id, ...clock })),
    };
  }

  /** Sends feedback, made for our source, behind a report in one compound packet (RFC 4585 section 3.1). */
  feedback(channel: number, build: (ssrc: number) => readonly Buffer[]): void {
    // An empty report spares the interval of the next one.
    const head = buildReceiverReport(this.#ssrc, [], CNAME);
    this.#send(channel, Buffer.concat([head, ...build(this.#ssrc)]));
  }

  /** Idempotent. */
  close(): void {
    this.#cancel();
  }

  #report(): void {
    this.#cancel = this.#clock.after(this.#intervalMs, () => this.#report());
    for (const { receiver, channel } of this.#tracks) {
      const block = receiver.report(this.#clock.now());
      if (block) this.#send(channel, buildReceiverReport(this.#ssrc, [block], CNAME));
    }
  }
}
