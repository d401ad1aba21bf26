import { ac3TrackOf, parseAc3Frame } from '#codecs/ac3.ts';
import {
  av1Configuration,
  av1Format,
  parseAv1SequenceHeader,
  readAv1Configuration,
  splitObus,
} from '#codecs/av1.ts';
import { VideoIngest } from '#codecs/ingest.ts';
import { mp3TrackOf, parseMp3Header } from '#codecs/mp3.ts';
import { mpeg4Configuration, mpeg4Format, mpeg4PictureType } from '#codecs/mpeg4.ts';
import { parseVp8Frame } from '#codecs/vp8.ts';
import { parseVp9Frame, vpConfiguration } from '#codecs/vp9.ts';
import { initSegment } from '#containers/fmp4/init-segment.ts';
import { isDescribable } from '#containers/fmp4/sample-entry.ts';
import type { Track, VideoTrack } from '#media/track.ts';
import {
  ac3Frame,
  ac3Track,
  av1Inter,
  av1Keyframe,
  av1Track,
  mp3Frame,
  mp3Track,
  mpeg4Headers,
  mpeg4Inter,
  mpeg4Keyframe,
  mpeg4Track,
  vp8Inter,
  vp8Keyframe,
  vp8Track,
  vp9Inter,
  vp9Keyframe,
  vp9Track,
} from '../support/coded-samples.ts';
import type { FuzzTarget } from './run.ts';

/** As a door does it: the picture in, and what it says of its format into an initialisation segment. */
function taken(track: Track, payload: readonly Buffer[]): void {
  const ingest = new VideoIngest(track as VideoTrack);
  for (const pts of [0, 3600]) {
    const picture = ingest.push(payload, pts);
    if (picture?.payload.some((part) => part.length === 0)) throw new Error('A part of a picture is empty.');
  }
  if (isDescribable(ingest.track)) initSegment([ingest.track]);
}

/** Parsers of AV1, VP9, VP8, MPEG-4, AC-3 and MP3. */
export const codecTargets: readonly FuzzTarget[] = [
  {
    name: 'AV1 units',
    seeds: () => [
      Buffer.concat(av1Keyframe),
      Buffer.concat(av1Inter),
      av1Configuration((av1Track as VideoTrack).format),
    ],
    open: () => ({
      take(input) {
        const obus = splitObus(input);
        for (const obu of obus) {
          if (parseAv1SequenceHeader(obu)) av1Configuration(av1Format(obu));
        }
        readAv1Configuration(input);
        taken(av1Track, obus);
        taken({ ...av1Track, format: av1Format() }, obus);
      },
    }),
  },
  {
    name: 'VP9 and VP8 frames',
    seeds: () => [vp9Keyframe, vp9Inter, vp8Keyframe, vp8Inter],
    open: () => ({
      take(input) {
        parseVp9Frame(input);
        parseVp8Frame(input);
        taken(vp9Track, [input]);
        taken(vp8Track, [input]);
        vpConfiguration((vp8Track as VideoTrack).format);
      },
    }),
  },
  {
    name: 'MPEG-4 pictures',
    seeds: () => [mpeg4Headers, mpeg4Keyframe, mpeg4Inter, Buffer.concat([mpeg4Headers, mpeg4Keyframe])],
    open: () => ({
      take(input) {
        const { width, height } = mpeg4Format(mpeg4Configuration(input));
        if (width > 8191 || height > 8191) throw new Error(`A picture of ${width} x ${height}.`);
        mpeg4PictureType(input);
        taken(mpeg4Track, [input]);
        taken({ ...mpeg4Track, format: mpeg4Format(Buffer.alloc(0)) }, [input]);
      },
    }),
  },
  {
    name: 'MP3 frames',
    seeds: () => [mp3Frame],
    open: () => ({
      take(input) {
        const size = parseMp3Header(input)?.size;
        if (size !== undefined && !(size >= 24 && size <= 1441)) throw new Error(`A frame of ${size} bytes.`);
        mp3TrackOf(mp3Track, input);
      },
    }),
  },
  {
    name: 'AC-3 frames',
    seeds: () => [ac3Frame],
    open: () => ({
      take(input) {
        const size = parseAc3Frame(input)?.size;
        if (size !== undefined && !(size >= 128 && size <= 3840))
          throw new Error(`A frame of ${size} bytes.`);
        const track = ac3TrackOf(ac3Track, input);
        if (isDescribable(track)) initSegment([track]);
      },
    }),
  },
];
