import assert from 'node:assert';
import { feedKey, RtspFeedWriter } from '#feeds/rtp/feed-writer.ts';
import type { RtpSequences } from '#feeds/rtp/rtp-sequences.ts';
import type { Feed } from '#hub/feed.ts';
import type { Hub } from '#hub/hub.ts';
import { parseStreamName } from '#hub/name.ts';
import { Reader } from '#hub/reader.ts';
import type { Stream } from '#hub/stream.ts';
import type { Transport } from '#hub/transport.ts';
import { isVideo, type Track } from '#media/track.ts';
import { parseRtcp, type ReportBlock } from '#protocols/rtcp/packet.ts';
import type {
  ChannelPair,
  DescribeAnswer,
  PlayAnswer,
  SetupAnswer,
  SetupRequest,
} from '#protocols/rtsp/application.ts';
import { buildSdp, payloadTypeOf } from '#protocols/sdp/build.ts';
import type { Clock } from '#util/clock.ts';
import { NamedError } from '#util/named-error.ts';

/** How long a DESCRIBE waits for the parameter sets of a publisher that sends them in the stream only. */
const FORMAT_WAIT_MS = 5000;

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

function canBeSent(track: Track): boolean {
  return payloadTypeOf(track) !== undefined;
}

/** Resolves when all pictures' parameter sets are known, when time is up, and when the stream has ended. */
function formatsKnown(stream: Stream, clock: Clock): Promise<void> {
  const known = () =>
    stream.tracks.every(
      (track) => !isVideo(track) || !canBeSent(track) || track.format.parameterSets.length > 0,
    );
  if (known()) return Promise.resolve();
  return new Promise((resolve) => {
    const finish = () => {
      cancel();
      for (const off of listeners) off();
      resolve();
    };
    const cancel = clock.after(FORMAT_WAIT_MS, finish);
    const listeners = [
      stream.events.on('tracks', () => known() && finish()),
      stream.events.on('ended', finish),
    ];
  });
}

export interface RtspReadingOptions {
  readonly stream: Stream;
  readonly hub: Hub;
  readonly sequences: RtpSequences;
  readonly clock: Clock;
  readonly id: string;
  readonly remote: string;
  readonly transport: Transport;
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
  #reader: Reader | undefined;
  #feed: Feed | undefined;
  #closed = false;

  constructor(options: RtspReadingOptions) {
    this.stream = options.stream;
    this.#options = options;
  }

  /** @throws NamedError TRACK_NOT_FOUND, TRACK_NOT_NAMED */
  setup({ track: control, channels }: SetupRequest): SetupAnswer {
    const id = this.#trackOf(control);
    this.#channels.set(id, channels);
    return { ssrc: this.#options.sequences.ssrc(this.stream, id) };
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
    const feed = this.#openFeed();
    const { writer } = feed;
    assert(writer instanceof RtspFeedWriter, 'A feed of this door has another writer.');
    const info = writer
      .startPoints()
      .map(({ trackId, ...rest }) => ({ track: `trackID=${trackId}`, ...rest }));
    return { info, start: () => this.#join(feed) };
  }

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
    this.pause();
    this.#reader?.close(reason);
  }

  #openFeed(): Feed {
    const { stream, hub, sequences } = this.#options;
    const chosen = stream.tracks.flatMap((track) => {
      const channels = this.#channels.get(track.id);
      const payloadType = payloadTypeOf(track);
      return channels && payloadType !== undefined ? [{ track, channels, payloadType }] : [];
    });
    const key = feedKey(chosen);
    return stream.feed(
      key,
      chosen.map(({ track }) => track.id),
      () =>
        new RtspFeedWriter({
          tracks: chosen.map((one) => ({ ...one, sequence: sequences.of(stream, key, one.track.id) })),
          limits: hub.options.feedLimits,
          cname: stream.name,
        }),
    );
  }

  #join(feed: Feed): void {
    const { clock, id, remote, transport, hub, onEnd } = this.#options;
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
        if (this.#closed) return;
        this.#closed = true;
        onEnd(reason);
      },
    });
    this.#feed = feed;
    feed.attach(this.#reader);
  }
}
