import assert from 'node:assert';
import { RtspFeedWriter } from '#feeds/rtp/feed-writer.ts';
import { formatsKnown } from '#feeds/rtp/formats-known.ts';
import { canBeSent, openRtpFeed } from '#feeds/rtp/open-feed.ts';
import type { RtpSequences } from '#feeds/rtp/rtp-sequences.ts';
import type { Feed } from '#hub/feed.ts';
import type { Hub } from '#hub/hub.ts';
import { parseStreamName } from '#hub/name.ts';
import { Reader } from '#hub/reader.ts';
import type { Stream } from '#hub/stream.ts';
import type { Transport } from '#hub/transport.ts';
import { parseRtcp, type ReportBlock } from '#protocols/rtcp/packet.ts';
import type {
  ChannelPair,
  DescribeAnswer,
  PlayAnswer,
  SetupAnswer,
  SetupRequest,
} from '#protocols/rtsp/application.ts';
import { buildSdp } from '#protocols/sdp/build.ts';
import type { Clock } from '#util/clock.ts';
import { NamedError } from '#util/named-error.ts';
import type { Multicast, MulticastSeat } from './multicast.ts';

/**
 * The stream of that name; one that comes on demand is waited for.
 * @throws NamedError STREAM_NAME_INVALID, STREAM_NOT_FOUND, SOURCE_NOT_READY
 */
export async function findStream(hub: Hub, path: string, signal: AbortSignal): Promise<Stream> {
  return hub.wanted(parseStreamName(path), signal);
}

/** Describes a stream to a reader, as soon as its formats are known. */
export async function describeStream(
  stream: Stream,
  options: { clock: Clock; address: string | undefined },
): Promise<DescribeAnswer> {
  await formatsKnown(stream, options.clock);
  if (!stream.tracks.some(canBeSent)) {
    const codecs = stream.tracks.map(({ format }) => format.codec).join(', ');
    throw new NamedError(
      'CODEC_UNSUPPORTED',
      `The stream "${stream.name}" (${codecs}) has no track that RTSP can carry here. Read it by another door.`,
      415,
    );
  }
  const { name, tracks } = stream;
  const address = options.address?.replace(/^::ffff:/, '');
  return { name, sdp: buildSdp(tracks, { sessionName: name, ...(address && { address }) }) };
}

export interface RtspReadingOptions {
  readonly stream: Stream;
  readonly hub: Hub;
  readonly sequences: RtpSequences;
  readonly clock: Clock;
  readonly id: string;
  readonly remote: string;
  readonly transport: Transport;
  /** Where streams are sent to groups. */
  readonly multicast?: Multicast | undefined;
  /** The reader came to its end by the stream or by its own slowness. */
  readonly onEnd: (reason: string) => void;
}

/** One session's reading of one stream: SETUP chooses tracks and channels, PLAY joins the feed that has them. */
export class RtspReading {
  readonly stream: Stream;
  readonly #options: RtspReadingOptions;
  readonly #channels = new Map<number, ChannelPair>();
  /** What the reader says it lost, by synchronisation source. */
  readonly #lost = new Map<number, number>();
  /** What the session has of the stream's group, where its tracks come by multicast. */
  #seat: MulticastSeat | undefined;
  #reader: Reader | undefined;
  #feed: Feed | undefined;
  #closed = false;

  constructor(options: RtspReadingOptions) {
    this.stream = options.stream;
    this.#options = options;
  }

  /** @throws NamedError TRACK_NOT_FOUND, TRACK_NOT_NAMED */
  setup({ track: control, channels, multicast }: SetupRequest): SetupAnswer {
    const id = this.#trackOf(control);
    const ssrc = this.#options.sequences.ssrc(this.stream, id);
    if (multicast) {
      this.#seat ??= this.#options.multicast?.join(this.stream, (reason) => this.#end(reason));
      const group = this.#seat?.group(id);
      return { ssrc, ...(group && { group }) };
    }
    this.#channels.set(id, channels);
    return { ssrc };
  }

  #trackOf(control: string): number {
    const tracks = this.stream.tracks.filter(canBeSent);
    const [only] = tracks;
    if (control === '' && only && tracks.length === 1) return only.id;
    const names = tracks.map(({ id }) => `trackID=${id}`).join(', ');
    if (control === '') {
      throw new NamedError('TRACK_NOT_NAMED', `SETUP needs the address of one track: add /${names}.`, 459);
    }
    const id = Number(/^(?:trackID=)?(\d{1,9})$/i.exec(control)?.[1] ?? Number.NaN);
    if (!tracks.some((track) => track.id === id)) {
      throw new NamedError(
        'TRACK_NOT_FOUND',
        `The stream "${this.stream.name}" has no track "${control}"; it has ${names}.`,
        404,
      );
    }
    return id;
  }

  /** RTCP of the reader: what was lost on the way to it, and that it wants a keyframe. Anything else is let go by. */
  receive(channel: number, payload: Buffer): void {
    if (![...this.#channels.values()].some(([, rtcp]) => rtcp === channel)) return;
    for (const packet of parseRtcp(payload)) {
      if (packet.type === 'receiver-report' || packet.type === 'sender-report') this.#note(packet.reports);
      else if (packet.type === 'keyframe-request') this.stream.requestKeyframe();
    }
  }

  #note(reports: readonly ReportBlock[]): void {
    const { sequences } = this.#options;
    const own = new Set([...this.#channels.keys()].map((id) => sequences.ssrc(this.stream, id)));
    for (const { ssrc, lost } of reports) if (own.has(ssrc)) this.#lost.set(ssrc, Math.max(lost, 0));
    if (this.#reader && this.#lost.size > 0) {
      this.#reader.lost = [...this.#lost.values()].reduce((sum, lost) => sum + lost, 0);
    }
  }

  /** @throws NamedError STREAM_GONE */
  play(): PlayAnswer {
    const seat = this.#seat;
    if (seat) return { info: [], start: () => seat.begin() };
    const feed = this.#openFeed();
    const { writer } = feed;
    assert(writer instanceof RtspFeedWriter, 'A feed of this door has another writer.');
    const info = writer
      .startPoints()
      .map(({ trackId, ...rest }) => ({ track: `trackID=${trackId}`, ...rest }));
    return { info, start: () => this.#join(feed) };
  }

  /** The group goes on: others may receive it. */
  pause(): void {
    const reader = this.#reader;
    if (!reader) return;
    this.#feed?.detach(reader);
    this.#feed = undefined;
    reader.reset();
  }

  /** Leaves the feed; the connection is not touched. Idempotent. */
  close(reason: string): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#seat?.leave();
    this.pause();
    this.#reader?.close(reason);
  }

  #openFeed(): Feed {
    const { stream, hub, sequences } = this.#options;
    return openRtpFeed({ stream, channels: this.#channels, sequences, limits: hub.options.feedLimits });
  }

  /** The stream, or the reader's own slowness, ends it. */
  #end(reason: string): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#options.onEnd(reason);
  }

  #join(feed: Feed): void {
    const { clock, id, remote, transport, hub } = this.#options;
    this.#reader ??= new Reader({
      id,
      door: 'rtsp',
      remote,
      transport,
      clock,
      limits: hub.options.readerLimits,
      onClose: (reason) => {
        this.#feed?.detach(this.#reader as Reader);
        this.#feed = undefined;
        this.#end(reason);
      },
    });
    this.#feed = feed;
    feed.attach(this.#reader);
  }
}
