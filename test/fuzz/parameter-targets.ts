import { aacFormat, aacFrameDuration, parseAacConfig } from '#codecs/aac.ts';
import { h264Format, parseH264Sps } from '#codecs/h264.ts';
import { h265Format, parseH265Sps } from '#codecs/h265.ts';
import { VideoIngest } from '#codecs/ingest.ts';
import { opusFormat, opusPacketDuration } from '#codecs/opus.ts';
import { initSegment } from '#containers/fmp4/init-segment.ts';
import { isDescribable } from '#containers/fmp4/sample-entry.ts';
import { isVideo, type Track, type VideoTrack } from '#media/track.ts';
import { h264Track } from '../support/fmp4-units.ts';
import type { FuzzTarget } from './run.ts';

const hex = (digits: string) => Buffer.from(digits, 'hex');

/** 1280 × 720 main profile, from x265. */
export const H265_SETS = [
  '40010c01ffff01600000030090000003000003005d959809',
  '42010101600000030090000003000003005da00280802d165959a4932bffc000c0011a020000030002000003003210',
  '4401c172b46240',
].map(hex);
export const h265Track: Track = { id: 0, clockRate: 90_000, format: h265Format(H265_SETS) };

export const parameterTargets: readonly FuzzTarget[] = [
  {
    name: 'H.264 parameter sets',
    seeds: () => (isVideo(h264Track) ? h264Track.format.parameterSets : []),
    open: () => ({
      take(input) {
        parseH264Sps(input);
        describe({ ...h264Track, format: h264Format([input]) });
        ingest(h264Track as VideoTrack, [input, hex('6588')]);
      },
    }),
  },
  {
    name: 'H.265 parameter sets',
    seeds: () => H265_SETS,
    open: () => ({
      take(input) {
        parseH265Sps(input);
        describe({ ...h265Track, format: h265Format([input, ...H265_SETS.slice(1)]) });
        ingest(h265Track as VideoTrack, [input, hex('2601af')]);
      },
    }),
  },
  {
    name: 'AAC and Opus',
    seeds: () => ['1190', '1188', '2b118800', '139056e5a0', 'f8ff', 'fb0101', 'fc'].map(hex),
    open: () => ({
      take(input) {
        const config = parseAacConfig(input);
        if (config) aacFrameDuration(aacFormat(Buffer.from(input)), config.sampleRate);
        const duration = opusPacketDuration(input);
        if (!(duration >= 0 && duration <= 5760)) throw new Error(`An Opus packet of ${duration} samples.`);
        opusFormat(2);
      },
    }),
  },
];

/** As containers do with a track whose parameters they know. */
function describe(track: Track): void {
  if (isDescribable(track)) initSegment([track]);
}

function ingest(track: VideoTrack, nals: readonly Buffer[]): void {
  const video = new VideoIngest(track);
  video.push(nals, 100_000);
  video.push(nals, 103_600);
}
