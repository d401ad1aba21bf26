import type { Feed, FeedLimits } from '#hub/feed.ts';
import type { Stream } from '#hub/stream.ts';
import type { Track } from '#media/track.ts';
import type { ChannelPair } from '#protocols/rtsp/application.ts';
import { payloadTypeOf } from '#protocols/sdp/build.ts';
import { feedKey, RtspFeedWriter } from './feed-writer.ts';
import type { RtpSequences } from './rtp-sequences.ts';

/** Whether RTP can carry a track here. */
export function canBeSent(track: Track): boolean {
  return payloadTypeOf(track) !== undefined;
}

/**
 * The feed of a stream's tracks as interleaved RTP, each on its channels; whoever has the same tracks on the same
 * channels shares it.
 * @param channels by track id; tracks that are not in it are left out
 * @throws NamedError STREAM_GONE
 */
export function openRtpFeed(options: {
  readonly stream: Stream;
  readonly channels: ReadonlyMap<number, ChannelPair>;
  readonly sequences: RtpSequences;
  readonly limits: FeedLimits;
}): Feed {
  const { stream, sequences, limits } = options;
  const chosen = stream.tracks.flatMap((track) => {
    const channels = options.channels.get(track.id);
    const payloadType = payloadTypeOf(track);
    return channels && payloadType !== undefined ? [{ track, channels, payloadType }] : [];
  });
  const key = feedKey(chosen);
  const ids = chosen.map(({ track }) => track.id);
  const tracks = () => chosen.map((one) => ({ ...one, sequence: sequences.of(stream, key, one.track.id) }));
  return stream.feed(
    key,
    ids,
    () => new RtspFeedWriter({ tracks: tracks(), limits, cname: () => stream.clockOrigin.clockName }),
  );
}
