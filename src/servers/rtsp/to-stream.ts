import type { Hub } from '#hub/hub.ts';
import { parsePublishedName } from '#hub/name.ts';
import type { Publication, PublisherInfo } from '#hub/stream.ts';
import { StreamClock } from '#media/clock-mapping.ts';
import type { Track } from '#media/track.ts';
import { ReceiverReports, type ReportedTrack } from '#protocols/rtp/receiver-reports.ts';
import { RtpTrackReceiver } from '#protocols/rtp/track-receiver.ts';
import { parseRtspAddress, splitTrack } from '#protocols/rtsp/address.ts';
import type { SetupRequest } from '#protocols/rtsp/application.ts';
import { parseSdp, type SdpMedia } from '#protocols/sdp/sdp.ts';
import { trackFromMedia } from '#protocols/sdp/tracks.ts';
import type { Clock } from '#util/clock.ts';
import { NamedError } from '#util/named-error.ts';

/** One media section of the announcement. */
interface Announced {
  readonly media: SdpMedia;
  /** Relative to the stream's address. */
  readonly control: string;
  /** Undefined for a codec that we cannot take; its packets are let go by. */
  readonly track: Track | undefined;
  isSetUp: boolean;
}

/** A publisher from which nothing comes over UDP for so long is closed: a firewall may stand between. */
const UDP_SILENCE_MS = 10_000;

export interface RtspPublishingOptions {
  /** How long packets that come over UDP may wait for others, in ms. */
  readonly reorderMs?: number;
  /** Sends RTCP to the publisher. */
  readonly send?: (channel: number, packet: Buffer) => void;
}

/** One session's publishing of one stream: ANNOUNCE says what comes, SETUP on which channels, RECORD begins. */
export class RtspPublishing {
  readonly name: string;
  /** Why some announced tracks are left out. */
  readonly ignored: readonly string[];
  readonly #clock: Clock;
  readonly #announced: readonly Announced[];
  readonly #streamClock = new StreamClock();
  readonly #options: RtspPublishingOptions;
  readonly #receivers = new Map<number, (payload: Buffer, now: number) => void>();
  #tracks: ReportedTrack[] = [];
  #publication: Publication | undefined;
  #reports: ReceiverReports | undefined;
  #paused = false;
  #usesUdp = false;
  /** When something came last, or was to begin to come. */
  #lastSign = 0;
  #heard = false;
  #cancelWatch: (() => void) | undefined;

  /** @throws NamedError STREAM_NAME_INVALID, SDP_INVALID, CODEC_UNSUPPORTED */
  constructor(path: string, sdp: string, clock: Clock, options: RtspPublishingOptions = {}) {
    this.name = parsePublishedName(path);
    this.#clock = clock;
    this.#options = options;
    const { medias } = parseSdp(sdp);
    if (medias.length === 0) {
      throw new NamedError(
        'SDP_INVALID',
        'The announced description has no media section that can be read (a line such as "m=video 0 RTP/AVP 96").',
      );
    }
    const ignored: string[] = [];
    this.#announced = medias.map((media, index) => {
      const track = trackFromMedia(media, index);
      const control = relativeControl(media.control, this.name);
      if (!('unsupported' in track)) return { media, control, track, isSetUp: false };
      ignored.push(track.unsupported);
      return { media, control, track: undefined, isSetUp: false };
    });
    this.ignored = ignored;
    if (this.#announced.every(({ track }) => track === undefined)) {
      throw new NamedError('CODEC_UNSUPPORTED', ignored.join(' '), 415);
    }
  }

  get published(): boolean {
    return this.#publication !== undefined;
  }

  /** @throws NamedError TRACK_NOT_FOUND */
  setup({ track: control, channels, clientPorts }: SetupRequest): void {
    const announced = this.#find(control);
    announced.isSetUp = true;
    this.#usesUdp ||= clientPorts !== undefined;
    const { media, track } = announced;
    if (!track) return;
    const { reorderMs } = this.#options;
    const holdMs = reorderMs === undefined ? {} : { holdMs: reorderMs };
    const receiver = new RtpTrackReceiver({
      media,
      track,
      clock: this.#streamClock,
      onUnit: (unit) => this.#publication?.write(unit),
      onTrack: (changed) => this.#publication?.changeTrack(changed),
      onConcealed: () => this.#publication?.stream.requestKeyframe(),
      ...(clientPorts && { reorder: { clock: this.#clock, ...holdMs } }),
    });
    const understandsPli = track.format.kind === 'video' && media.feedback.includes('nack pli');
    this.#tracks.push({ receiver, channel: channels[1], understandsPli });
    this.#receivers.set(channels[0], (payload, now) => receiver.receiveRtp(payload, now));
    this.#receivers.set(channels[1], (payload, now) => receiver.receiveRtcp(payload, now));
  }

  /**
   * Begins to publish, or goes on after a pause.
   * @throws NamedError NO_TRACK_SET_UP, STREAM_BUSY
   */
  record(hub: Hub, publisher: PublisherInfo, onClose: (reason: string) => void): void {
    this.#paused = false;
    this.#lastSign = this.#clock.now();
    if (this.#publication) return;
    if (this.#tracks.length === 0) {
      throw new NamedError(
        'NO_TRACK_SET_UP',
        `No track of "${this.name}" that this server can take was set up. ${this.ignored.join(' ')}`.trim(),
        415,
      );
    }
    const tracks = this.#tracks.map(({ receiver }) => receiver.track).sort((a, b) => a.id - b.id);
    const { send = () => {} } = this.#options;
    this.#reports ??= new ReceiverReports({ clock: this.#clock, tracks: this.#tracks, send });
    this.#publication = hub.publish(this.name, publisher, tracks, { ...this.#reports.hooks, onClose });
    if (this.#usesUdp) this.#watch(onClose);
  }

  pause(): void {
    this.#paused = true;
  }

  /** RTP or RTCP from the publisher; what comes before RECORD or on an unknown channel is let go by. */
  receive(channel: number, payload: Buffer): void {
    if (!this.#publication || this.#paused) return;
    const now = this.#clock.now();
    this.#lastSign = now;
    this.#heard = true;
    this.#receivers.get(channel)?.(payload, now);
  }

  /** The publisher is gone. Idempotent. */
  close(reason: string): void {
    this.#cancelWatch?.();
    this.#reports?.close();
    for (const { receiver } of this.#tracks) receiver.close();
    this.#publication?.close(reason);
  }

  /** Over UDP a connection that stands says nothing about whether media comes. */
  #watch(onSilence: (reason: string) => void): void {
    const check = () => {
      const left = this.#paused ? UDP_SILENCE_MS : this.#lastSign + UDP_SILENCE_MS - this.#clock.now();
      if (left > 0) {
        this.#cancelWatch = this.#clock.after(left, check);
        return;
      }
      const seconds = UDP_SILENCE_MS / 1000;
      onSilence(
        this.#heard
          ? `Nothing came from the publisher over UDP for ${seconds} s. Where that happens again, publish over TCP (in ffmpeg: -rtsp_transport tcp).`
          : `No packet of the publisher arrived over UDP within ${seconds} s; a firewall may stand between. Publish over TCP (in ffmpeg: -rtsp_transport tcp).`,
      );
    };
    this.#cancelWatch = this.#clock.after(UDP_SILENCE_MS, check);
  }

  #find(control: string): Announced {
    const waiting = this.#announced.filter(({ isSetUp }) => !isSetUp);
    const wanted = control.toLowerCase();
    const found =
      waiting.find((one) => one.control.toLowerCase() === wanted) ??
      // Without names of their own the tracks are set up in their order.
      waiting.find((one) => one.control === '') ??
      (control === '' && this.#announced.length === 1 ? waiting[0] : undefined);
    if (found) return found;
    const names = this.#announced.map((one) => one.control || '(no name)').join(', ');
    throw new NamedError(
      'TRACK_NOT_FOUND',
      `The announced description has no track "${control}" that waits for its SETUP; it has ${names}.`,
      404,
    );
  }
}

/** The control of a media section, made relative to the stream's address; empty where it names the whole. */
function relativeControl(control: string, name: string): string {
  if (control === '' || control === '*') return '';
  const absolute = /^rtsps?:\/\//i.test(control) ? parseRtspAddress(control) : undefined;
  const path = absolute ? splitTrack(absolute.path, name) : undefined;
  return (path ? path.track : control).replace(/^\/+|\/+$/g, '');
}
