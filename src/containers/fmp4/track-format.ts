import { H264, h264NalType } from '#codecs/h264.ts';
import { H265, h265NalType } from '#codecs/h265.ts';
import { sameNals } from '#codecs/nal.ts';
import { isAudio, isVideo, type Track, type VideoTrack } from '#media/track.ts';

/** Most ticks from decoding to presentation: far more than any encoder reorders, far less than 31 bits can say. */
export const LONGEST_REORDERING = 2 ** 30;

/** An initialisation segment for one would be the same for the other. */
export function sameFormat(a: Track, b: Track): boolean {
  if (a.clockRate !== b.clockRate || a.format.codec !== b.format.codec) return false;
  if (isVideo(a) && isVideo(b)) {
    const { codecString, width, height, parameterSets } = a.format;
    // VP9 has no parameter sets: what it is stands in its name and its size.
    const looksAlike = codecString === b.format.codecString && width === b.format.width;
    return looksAlike && height === b.format.height && sameNals(parameterSets, b.format.parameterSets);
  }
  if (!isAudio(a) || !isAudio(b)) return false;
  const { sampleRate, channels, config } = a.format;
  return (
    sampleRate === b.format.sampleRate && channels === b.format.channels && config.equals(b.format.config)
  );
}

/** True where samples are NAL units, each behind its length; the other codecs say themselves where their parts end. */
export function isLengthPrefixed(track: Track): boolean {
  return track.format.codec === 'h264' || track.format.codec === 'h265';
}

/** Leaves parameter sets, which the sample entry has, and access unit delimiters out of samples of NAL units. */
export function isSampleData(track: VideoTrack): (nal: Buffer) => boolean {
  if (!isLengthPrefixed(track)) return () => true;
  if (track.format.codec === 'h264') {
    return (nal) => {
      const type = h264NalType(nal);
      return type !== H264.sps && type !== H264.pps && type !== H264.aud;
    };
  }
  return (nal) => {
    const type = h265NalType(nal);
    return type < H265.vps || type > H265.aud;
  };
}
