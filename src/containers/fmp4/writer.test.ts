import { describe, expect, test } from 'vitest';
import { aacFormat, buildAacConfig } from '#codecs/aac.ts';
import type { AccessUnit } from '#media/access-unit.ts';
import type { Track, VideoTrack } from '#media/track.ts';
import {
  av1Inter,
  av1Keyframe,
  av1Track,
  vp9Inter,
  vp9Keyframe,
  vp9Track,
} from '../../../test/support/coded-samples.ts';
import { boxes, nalUnits, readInit, readSamples } from '../../../test/support/fmp4-reader.ts';
import {
  aacTrack,
  h264Track,
  ntpOfZero,
  opusTrack,
  picture,
  pps,
  sound,
  sps,
} from '../../../test/support/fmp4-units.ts';
import { type Fmp4Chunk, Fmp4Writer } from './writer.ts';

function write(tracks: readonly Track[], units: readonly AccessUnit[]): Fmp4Chunk[] {
  const writer = new Fmp4Writer(tracks);
  const chunks: Fmp4Chunk[] = [];
  for (const unit of units) writer.write(unit, (chunk) => chunks.push(chunk));
  return chunks;
}

const kinds = (chunks: readonly Fmp4Chunk[]) => chunks.map(({ kind }) => kind).join(' ');
/** Another object with the same values, as a second publisher of the same camera makes it. */
const copyOfFormat = ({ format }: Track): Track['format'] => {
  if (format.kind === 'video')
    return { ...format, parameterSets: format.parameterSets.map((nal) => Buffer.from(nal)) };
  return format.kind === 'audio' ? { ...format, config: Buffer.from(format.config) } : { ...format };
};
const samplesOf = (chunks: readonly Fmp4Chunk[], kind: 'video' | 'audio') =>
  chunks.filter((chunk) => chunk.kind === kind).flatMap(({ bytes }) => readSamples(bytes));

describe('a writer of fragmented MP4', () => {
  test('begins with an init segment and a keyframe, and writes each picture by itself', () => {
    const chunks = write([h264Track], [picture(0), picture(3600, { keyframe: true }), picture(7200)]);
    expect(kinds(chunks)).toBe('config video video');
    expect(chunks.map(({ keyframe }) => keyframe)).toEqual([true, true, false]);
    expect(boxes(chunks[1]!.bytes).map(({ type }) => type)).toEqual(['moof', 'mdat']);
  });

  test('keeps the timestamps of the pictures, composition included, wherever they began', () => {
    const base = 2 ** 32 - 3600;
    const units = [
      picture(base + 7200, { dts: base, keyframe: true }),
      picture(base + 18_000, { dts: base + 3600 }),
      picture(base + 10_800, { dts: base + 7200 }),
    ];
    const samples = samplesOf(write([h264Track], units), 'video');
    expect(samples.map(({ pts }) => pts)).toEqual(units.map(({ pts }) => pts));
    expect(samples.map(({ dts }) => dts)).toEqual(units.map(({ dts }) => dts));
    expect(samples.map(({ duration }) => duration)).toEqual([3600, 3600, 3600]);
  });

  test.each([
    ['AV1', av1Track, av1Keyframe, av1Inter],
    ['VP9', vp9Track, [vp9Keyframe], [vp9Inter]],
  ] as const)(
    'writes the parts of %s as they are, which say themselves where they end',
    (_, track, key, inter) => {
      const keyframe = { ...picture(0, { track, keyframe: true }), payload: key };
      const samples = samplesOf(
        write([track], [keyframe, { ...picture(3600, { track }), payload: inter }]),
        'video',
      );
      expect(samples.map(({ data }) => data)).toEqual([Buffer.concat(key), Buffer.concat(inter)]);
    },
  );

  test('describes VP9 anew when its size changes, and not when another publisher sends the same', () => {
    const format = vp9Track.format as VideoTrack['format'];
    const other = { ...vp9Track, format: { ...format } } as Track;
    const larger = { ...vp9Track, format: { ...format, width: 128 } } as Track;
    const keyframe = (pts: number, track: Track) => ({
      ...picture(pts, { track, keyframe: true }),
      payload: [vp9Keyframe],
    });
    const chunks = write([vp9Track], [keyframe(0, vp9Track), keyframe(3600, other), keyframe(7200, larger)]);
    expect(kinds(chunks)).toBe('config video video config video');
  });

  test('leaves parameter sets and access unit delimiters out of the samples', () => {
    const [sample] = samplesOf(write([h264Track], [picture(0, { keyframe: true })]), 'video');
    expect(nalUnits(sample!.data).map((nal) => nal[0])).toEqual([0x65]);
  });

  test('writes pictures whose decoding began before time zero, and waits for a keyframe shown after it', () => {
    const units = [
      picture(-3600, { dts: -7200, keyframe: true }),
      picture(0, { dts: -3600 }),
      picture(3600, { dts: -1800, keyframe: true }),
      picture(7200, { dts: 3600 }),
    ];
    const samples = samplesOf(write([h264Track], units), 'video');
    expect(samples.map(({ dts, pts }) => [dts, pts])).toEqual([
      [0, 3600],
      [3600, 7200],
    ]);
  });

  test('drops sound before the first picture and puts it beside the pictures by the capture clock', () => {
    // The clocks of the two tracks have nothing to do with each other; only ntp joins them.
    const at = (pts: number, ms: number) => sound(pts, { ntp: ntpOfZero + ms });
    const units = [
      at(5_000_000, -20),
      picture(900_000, { keyframe: true, ntp: ntpOfZero }),
      at(5_000_960, 0),
      at(5_001_984, 64 / 3),
      picture(903_600, { ntp: ntpOfZero + 40 }),
      at(5_003_008, 128 / 3),
    ];
    const chunks = write([h264Track, aacTrack], units);
    expect(kinds(chunks)).toBe('config video audio audio video audio');
    expect(samplesOf(chunks, 'audio').map(({ dts }) => dts)).toEqual([480_000, 481_024, 482_048]);
    expect(samplesOf(chunks, 'audio').every(({ sync, trackId }) => sync && trackId === 2)).toBe(true);
  });

  test('describes a new format before the keyframe that has it', () => {
    const other = {
      ...h264Track,
      format: { ...h264Track.format, parameterSets: [sps, Buffer.concat([pps, pps])] },
    };
    const changed = other as Track;
    const chunks = write(
      [h264Track],
      [
        picture(0, { keyframe: true }),
        picture(3600, { track: changed }),
        picture(7200, { track: changed, keyframe: true }),
        picture(10_800, { track: changed }),
      ],
    );
    expect(kinds(chunks)).toBe('config video config video video');
    expect(samplesOf(chunks, 'video').map(({ pts }) => pts)).toEqual([0, 7200, 10_800]);
    expect(readInit(chunks[2]!.bytes)[0]?.configuration.length).toBe(
      readInit(chunks[0]!.bytes)[0]!.configuration.length + pps.length,
    );
  });

  test('holds sound of a new format until the next keyframe, because a new init segment in between costs pictures', () => {
    const stereo = aacFormat(buildAacConfig({ sampleRate: 48_000, channels: 2 }));
    const changed: Track = { ...aacTrack, format: stereo };
    const chunks = write(
      [h264Track, aacTrack],
      [
        picture(0, { keyframe: true }),
        sound(0),
        sound(1024, { track: changed }),
        picture(3600),
        picture(7200, { keyframe: true }),
        sound(3840, { track: changed }),
      ],
    );
    expect(kinds(chunks)).toBe('config video audio video config video audio audio');
    // What was held back is silence: a gap would be a break, and cost the pictures up to another keyframe.
    const times = samplesOf(chunks, 'audio').map(({ dts }) => dts);
    expect(times).toEqual([0, 1024, 2048, 3840]);
  });

  test('does not describe a track again that only has a new object for the same format', () => {
    const same = { ...h264Track };
    const chunks = write(
      [h264Track],
      [picture(0, { keyframe: true }), picture(3600, { track: same, keyframe: true })],
    );
    expect(kinds(chunks)).toBe('config video video');
  });

  test('goes on with sound and picture at once when the next publisher has the same formats', () => {
    const again = (track: Track): Track => ({ ...track, format: copyOfFormat(track) });
    const [video, audio] = [again(h264Track), again(aacTrack)];
    const chunks = write(
      [h264Track, aacTrack],
      [
        picture(0, { keyframe: true }),
        sound(0),
        // Picture and sound of the next publisher, the picture from the middle of a group at first.
        picture(3600, { track: video }),
        picture(7200, { track: video, keyframe: true }),
        sound(1920, { track: audio }),
        sound(2944, { track: audio }),
        sound(3968, { track: audio }),
        picture(10_800, { track: video }),
      ],
    );
    expect(chunks.filter(({ kind }) => kind === 'config')).toHaveLength(1);
    expect(samplesOf(chunks, 'video').map(({ pts }) => pts)).toEqual([0, 7200, 10_800]);
    expect(samplesOf(chunks, 'audio').at(-1)?.pts).toBeGreaterThan(1920);
  });

  test('waits for parameter sets', () => {
    const unseen = {
      ...h264Track,
      format: { ...h264Track.format, parameterSets: [], codecString: '', width: 0 },
    };
    const chunks = write(
      [unseen],
      [picture(0, { track: unseen, keyframe: true }), picture(3600, { keyframe: true })],
    );
    expect(kinds(chunks)).toBe('config video');
    expect(samplesOf(chunks, 'video')[0]?.pts).toBe(3600);
  });

  test('writes sound alone at once, two Opus packets together', () => {
    const units = [0, 960, 1920, 2880].map((pts) => sound(pts, { track: opusTrack }));
    const chunks = write([opusTrack], units);
    expect(kinds(chunks)).toBe('config audio audio');
    expect(samplesOf(chunks, 'audio').map(({ dts, duration }) => [dts, duration])).toEqual(
      [0, 960, 1920, 2880].map((dts) => [dts, 960]),
    );
  });

  test('ignores tracks it was not made for', () => {
    expect(write([h264Track], [sound(0), picture(0, { keyframe: true }), sound(0)]).length).toBe(2);
  });
});
