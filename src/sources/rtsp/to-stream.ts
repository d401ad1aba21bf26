import { LatePublication } from '#hub/late-publication.ts';
import type { PublisherInfo, Publishing } from '#hub/publication.ts';
import { StreamClock } from '#media/clock-mapping.ts';
import type { Track } from '#media/track.ts';
import { ReceiverReports, type ReportedTrack } from '#protocols/rtp/receiver-reports.ts';
import { RtpTrackReceiver } from '#protocols/rtp/track-receiver.ts';
import { parseSdp, type SdpMedia } from '#protocols/sdp/sdp.ts';
import { trackFromMedia } from '#protocols/sdp/tracks.ts';
import type { Clock } from '#util/clock.ts';
import { NamedError } from '#util/named-error.ts';

interface Chosen {
  readonly media: SdpMedia;
  readonly track: Track;
}

export interface RtspPullingOptions {
  /** Where it is published. */
  readonly hub: Publishing;
  readonly stream: string;
  readonly publisher: PublisherInfo;
  readonly clock: Clock;
  /** Packets may come in another order than they were sent. */
  readonly reorder: boolean;
  /** Sends RTCP about a track, by its place among the controls. */
  readonly sendRtcp: (track: number, packet: Buffer) => void;
  /** The first unit came, and the stream is there. */
  readonly onPublished: () => void;
  /** The hub did not take it, or ended it. */
  readonly onEnd: (error: NamedError) => void;
}

/** What comes of one connection to a server: its first picture and its first sound become a stream of the hub. */
export class RtspPulling {
  /** `a=control` of the session, and of each track that is wanted. */
  readonly controls: { readonly control: string; readonly tracks: readonly string[] };
  readonly #options: RtspPullingOptions;
  readonly #publication: LatePublication;
  readonly #receivers: readonly RtpTrackReceiver[];
  readonly #reported: readonly ReportedTrack[];
  /** What the server plays. */
  #active: readonly ReportedTrack[] = [];
  #reports: ReceiverReports | undefined;

  /** @throws NamedError SDP_INVALID, CODEC_UNSUPPORTED */
  constructor(url: string, sdp: string, options: RtspPullingOptions) {
    this.#options = options;
    this.#publication = new LatePublication({
      ...options,
      origin: () => ({
        tracks: this.#active.map(({ receiver }) => receiver.track),
        hooks: this.#reports?.hooks ?? {},
      }),
    });
    const description = parseSdp(sdp);
    const chosen = choose(url, description.medias);
    const clock = new StreamClock();
    this.controls = { control: description.control, tracks: chosen.map(({ media }) => media.control) };
    this.#receivers = chosen.map(
      ({ media, track }) =>
        new RtpTrackReceiver({
          media,
          track,
          clock,
          onUnit: (unit) => this.#publication.write(unit),
          onTrack: (changed) => this.#publication.changeTrack(changed),
          onConcealed: () => this.#publication.requestKeyframe(),
          ...(options.reorder && { reorder: { clock: options.clock } }),
        }),
    );
    this.#reported = this.#receivers.map((receiver, channel) => ({
      receiver,
      channel,
      understandsPli: chosen[channel]?.media.feedback.includes('nack pli') === true,
    }));
  }

  /** The server plays all but these. */
  ready(refused: readonly number[]): void {
    this.#active = this.#reported.filter(({ channel }) => !refused.includes(channel));
    this.#reports = new ReceiverReports({
      clock: this.#options.clock,
      tracks: this.#active,
      send: this.#options.sendRtcp,
    });
  }

  /** RTP or RTCP of a track; what comes before `ready` is let go by. */
  receive(index: number, kind: 'rtp' | 'rtcp', payload: Buffer): void {
    const receiver = this.#receivers[index];
    if (!receiver || this.#active.length === 0) return;
    const now = this.#options.clock.now();
    if (kind === 'rtp') receiver.receiveRtp(payload, now);
    else receiver.receiveRtcp(payload, now);
  }

  /** The stream has lost its source. Idempotent. */
  close(reason: string): void {
    this.#reports?.close();
    for (const receiver of this.#receivers) receiver.close();
    this.#publication.close(reason);
  }
}

/**
 * The first video and the first audio that we can take; a camera's further ones are the same in another size. What a
 * camera wants to be sent (`sendonly`, its loudspeaker) is left out, unless everything is called so.
 */
function choose(url: string, all: readonly SdpMedia[]): Chosen[] {
  const offered = all.filter(({ direction }) => direction !== 'sendonly' && direction !== 'inactive');
  const medias = offered.length > 0 ? offered : all;
  if (medias.length === 0) {
    throw new NamedError(
      'SDP_INVALID',
      `${url} describes itself without a media section that can be read (a line such as "m=video 0 RTP/AVP 96").`,
      502,
    );
  }
  const chosen: Chosen[] = [];
  const reasons: string[] = [];
  for (const media of medias) {
    if (chosen.some((one) => one.media.kind === media.kind)) continue;
    const track = trackFromMedia(media, chosen.length);
    if ('unsupported' in track) reasons.push(track.unsupported);
    else chosen.push({ media, track });
  }
  if (chosen.length > 0) return chosen;
  throw new NamedError('CODEC_UNSUPPORTED', `${url} has nothing to take. ${reasons.join(' ')}`, 415);
}
