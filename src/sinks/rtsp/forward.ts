import { ClientSocket } from '#clients/client-socket.ts';
import { parseTarget, RTSP_CODES } from '#clients/rtsp/target.ts';
import { formatsKnown } from '#feeds/rtp/formats-known.ts';
import { canBeSent, openRtpFeed } from '#feeds/rtp/open-feed.ts';
import type { RtpSequences } from '#feeds/rtp/rtp-sequences.ts';
import type { HubOptions } from '#hub/hub.ts';
import { refusal } from '#media/outputs.ts';
import type { Track } from '#media/track.ts';
import { parseRtcp } from '#protocols/rtcp/packet.ts';
import type { ChannelPair } from '#protocols/rtsp/application.ts';
import { RtspPublishingClient } from '#protocols/rtsp/publishing-client.ts';
import { buildSdp } from '#protocols/sdp/build.ts';
import { maskAddress } from '#util/mask-address.ts';
import type { NamedError } from '#util/named-error.ts';
import type { ForwardConnection, ForwardEvents, ForwardTarget, OpenForward } from '../contract.ts';
import { ForwardReader } from '../forward-reader.ts';

export interface RtspForwardOptions {
  /** Limits of feeds and readers, asked for anew at each attempt. */
  readonly hub: { readonly options: Pick<HubOptions, 'feedLimits' | 'readerLimits'> };
  /** Those of the RTSP door: its readers and forwards share their bytes. */
  readonly sequences: RtpSequences;
}

/** Publishes streams at RTSP servers, `rtsp://` and `rtsps://`, with the media inside the connection. */
export function rtspForward(options: RtspForwardOptions): OpenForward {
  return (target, events) => new RtspForward(target, events, options);
}

/** One connection: ANNOUNCE to RECORD, then the packets of the feed that RTSP readers over TCP get too. */
class RtspForward implements ForwardConnection {
  readonly #target: ForwardTarget;
  readonly #events: ForwardEvents;
  readonly #options: RtspForwardOptions;
  readonly #socket: ClientSocket;
  readonly #client: RtspPublishingClient;
  readonly #listeners: (() => void)[] = [];
  /** What was announced. */
  #tracks: readonly Track[] = [];
  #reader: ForwardReader | undefined;
  #over = false;

  /** @throws NamedError RTSP_ADDRESS_INVALID, SOURCE_FORBIDDEN */
  constructor(target: ForwardTarget, events: ForwardEvents, options: RtspForwardOptions) {
    const { url, clock, stream } = target;
    this.#target = target;
    this.#events = events;
    this.#options = options;
    const failed = (error: NamedError) => this.#end(error.message, error.code);
    this.#client = new RtspPublishingClient(
      url,
      {
        send: (bytes) => this.#socket.write(bytes),
        recording: (channels) => this.#join(channels),
        rtcp: (_track, packet) => this.#feedback(packet),
        failed,
      },
      { clock },
    );
    this.#socket = new ClientSocket({
      target: parseTarget(url),
      trust: target.trust ?? {},
      guarded: target.restricted,
      url: maskAddress(url),
      codes: RTSP_CODES,
      clock,
      connected: () => void this.#announce(),
      received: (bytes) => this.#client.receive(bytes),
      failed: (error) => this.#client.fail(error),
    });
    this.#listeners.push(
      stream.events.on('ended', (reason) => this.#end(reason)),
      stream.events.on('replaced', () => this.#compare()),
    );
  }

  get bytesSent(): number {
    return this.#reader?.counters.bytes ?? 0;
  }

  get reader(): ForwardReader | undefined {
    return this.#reader;
  }

  async close(reason: string): Promise<void> {
    this.#leave(reason);
    this.#client.close();
    await this.#socket.close();
  }

  async #announce(): Promise<void> {
    const { stream, clock } = this.#target;
    await formatsKnown(stream, clock);
    if (this.#over) return;
    this.#tracks = stream.tracks.filter(canBeSent);
    if (this.#tracks.length === 0) {
      const reasons = stream.tracks.map((track) => refusal('rtsp', track)).join(' ');
      return this.#end(`The stream "${stream.name}" does not fit: ${reasons}`, 'CODEC_UNSUPPORTED');
    }
    this.#client.start({
      sdp: buildSdp(this.#tracks, { sessionName: stream.name }),
      tracks: this.#tracks.map(({ id }) => `trackID=${id}`),
    });
  }

  #join(channels: readonly ChannelPair[]): void {
    const { stream, url } = this.#target;
    const { hub, sequences } = this.#options;
    const byTrack = new Map(this.#tracks.flatMap(({ id }, at) => (channels[at] ? [[id, channels[at]]] : [])));
    if (stream.state === 'ended') return this.#end('The stream has ended.');
    const feed = openRtpFeed({ stream, channels: byTrack, sequences, limits: hub.options.feedLimits });
    const { host, port } = parseTarget(url);
    this.#reader = new ForwardReader({
      target: this.#target,
      feed,
      remote: `${host}:${port}`,
      out: this.#socket,
      limits: hub.options.readerLimits,
      onClose: (reason) => this.#end(reason),
    });
    this.#reader.join();
    this.#events.onUp();
  }

  /** The publisher is another one: what was announced may not be what comes now. */
  #compare(): void {
    const now = this.#target.stream.tracks.filter(canBeSent).map(({ id }) => id);
    if (this.#tracks.length === 0 || now.join() === this.#tracks.map(({ id }) => id).join()) return;
    this.#end('The stream has other tracks now, which have to be announced anew.');
  }

  #feedback(packet: Buffer): void {
    for (const report of parseRtcp(packet)) {
      if (report.type === 'keyframe-request') this.#target.stream.requestKeyframe();
    }
  }

  /** It is over, and not by `close`. */
  #end(reason: string, code?: string): void {
    if (this.#over) return;
    this.#leave(reason);
    this.#client.close();
    this.#events.onEnd({ reason, ...(code === undefined ? {} : { code }) });
  }

  #leave(reason: string): void {
    if (this.#over) return;
    this.#over = true;
    for (const off of this.#listeners) off();
    this.#reader?.leave(reason);
  }
}
