import { parseH264Sps } from '#codecs/h264.ts';
import { parseH265Sps } from '#codecs/h265.ts';
import type { Stream } from '#hub/stream.ts';
import { isVideo, type Track } from '#media/track.ts';

/** True where the pictures of a track come, or have to be expected to come, in another order than they are shown. */
export function isReordered(stream: Stream, track: Track): boolean {
  const order = stream.orderOf(track.id);
  if (order.settled || !isVideo(track)) return order.reordered;
  const { codec, parameterSets } = track.format;
  const parse = codec === 'h264' ? parseH264Sps : codec === 'h265' ? parseH265Sps : undefined;
  if (!parse) return false;
  // What the parameter sets do not say is left to the pictures: most cameras that say nothing have no B-frames.
  return parameterSets.some((nal) => (parse(nal)?.maxReorderFrames ?? 0) > 0);
}
