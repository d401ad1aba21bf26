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
  /** Ours, as a receiver. */
  readonly #ssrc = randomInt(1, 2 ** 32);
  #cancel: () => void;

  /** Reports every 5 s from now on. */
  constructor(options: {
    readonly clock: Clock;
    readonly tracks: readonly ReportedTrack[];
    readonly send: (channel: number, packet: Buffer) => void;
  }) {
    this.#clock = options.clock;
    this.#tracks = options.tracks;
    this.#send = options.send;
    this.#cancel = this.#clock.after(INTERVAL_MS, () => this.#report());
  }

  /** Asks for a keyframe where that is understood (RFC 4585). How often is the caller's business. */
  requestKeyframe(): void {
    for (const { receiver, channel, understandsPli } of this.#tracks) {
      const media = receiver.ssrc;
      if (!understandsPli || media === undefined) continue;
      // Feedback stands behind a report, in one compound packet; an empty one spares the interval of the next.
      const head = buildReceiverReport(this.#ssrc, [], CNAME);
      this.#send(channel, Buffer.concat([head, buildPictureLossIndication(this.#ssrc, media)]));
    }
  }

  /** Idempotent. */
  close(): void {
    this.#cancel();
  }

  #report(): void {
    this.#cancel = this.#clock.after(INTERVAL_MS, () => this.#report());
    for (const { receiver, channel } of this.#tracks) {
      const block = receiver.report(this.#clock.now());
      if (block) this.#send(channel, buildReceiverReport(this.#ssrc, [block], CNAME));
    }
  }
}
