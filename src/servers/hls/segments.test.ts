import { describe, expect, test } from 'vitest';
import type { Init } from '#containers/fmp4/segment-writer.ts';
import { aacTrack, h264Track } from '../../../test/support/fmp4-units.ts';
import { checkMediaPlaylist, PlaylistChecker } from '../../../test/support/hls-checker.ts';
import { mediaPlaylist, multivariantPlaylist } from './playlist.ts';
import { SegmentList } from './segments.ts';

const NTP = Date.parse('2026-11-26T12:00:00.000Z');
const newInit = (): Init => ({ bytes: Buffer.alloc(10), tracks: [h264Track, aacTrack] });

function listed(changed: Partial<ConstructorParameters<typeof SegmentList>[0]> = {}) {
  const list = new SegmentList({
    ...{ id: 'x', firstSequence: 100, firstDiscontinuity: 0, segmentCount: 7, segmentSeconds: 1 },
    ...{ segmentMaxBytes: 1 << 20, onChange: () => {} },
    ...changed,
  });
  let init = newInit();
  let ntp = NTP;
  const part = (independent: boolean, size = 1000) =>
    list.part({ bytes: Buffer.alloc(size), duration: 0.2, independent, pictures: 5 });
  return {
    list,
    part,
    begin: (discontinuity = false) => {
      if (discontinuity) init = newInit();
      list.begin({ ntp, init, discontinuity });
      ntp += 1000;
    },
    /** A whole segment of one second. */
    segment(discontinuity = false, size = 1000) {
      this.begin(discontinuity);
      for (let n = 0; n < 5; n++) part(n === 0, size);
      list.end();
    },
  };
}

const text = (list: SegmentList, { skip = false, suffix = '', plain = false } = {}) =>
  mediaPlaylist(list.view!, { hint: plain ? undefined : list.hint, skip, suffix });

describe('a media playlist', () => {
  test('has its parts, its times and the part that comes next', () => {
    const all = listed();
    all.segment();
    all.begin();
    all.part(true);
    expect(text(all.list)).toBe(`#EXTM3U
#EXT-X-VERSION:9
#EXT-X-TARGETDURATION:1
#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=0.663,CAN-SKIP-UNTIL=6.0
#EXT-X-PART-INF:PART-TARGET=0.221
#EXT-X-INDEPENDENT-SEGMENTS
#EXT-X-MEDIA-SEQUENCE:100
#EXT-X-DISCONTINUITY-SEQUENCE:0
#EXT-X-MAP:URI="x-init100.mp4"
#EXT-X-PROGRAM-DATE-TIME:2026-11-26T12:00:00.000Z
#EXT-X-PART:DURATION=0.20000,URI="x-100.0.m4s",INDEPENDENT=YES
#EXT-X-PART:DURATION=0.20000,URI="x-100.1.m4s"
#EXT-X-PART:DURATION=0.20000,URI="x-100.2.m4s"
#EXT-X-PART:DURATION=0.20000,URI="x-100.3.m4s"
#EXT-X-PART:DURATION=0.20000,URI="x-100.4.m4s"
#EXTINF:1.00000,
x-100.m4s
#EXT-X-PROGRAM-DATE-TIME:2026-11-26T12:00:01.000Z
#EXT-X-PART:DURATION=0.20000,URI="x-101.0.m4s",INDEPENDENT=YES
#EXT-X-PRELOAD-HINT:TYPE=PART,URI="x-101.1.m4s"
`);
  });

  test('without low latency has whole segments only', () => {
    const all = listed();
    all.segment();
    all.begin();
    all.part(true);
    expect(text(all.list, { plain: true, suffix: '?token=a%20b' })).toBe(`#EXTM3U
#EXT-X-VERSION:7
#EXT-X-TARGETDURATION:1
#EXT-X-INDEPENDENT-SEGMENTS
#EXT-X-MEDIA-SEQUENCE:100
#EXT-X-DISCONTINUITY-SEQUENCE:0
#EXT-X-MAP:URI="x-init100.mp4?token=a%20b"
#EXT-X-PROGRAM-DATE-TIME:2026-11-26T12:00:00.000Z
#EXTINF:1.00000,
x-100.m4s?token=a%20b
`);
  });

  test('leaves out in a delta update what lies before the skip boundary, and nothing where that is nothing', () => {
    const all = listed({ segmentCount: 10 });
    for (let n = 0; n < 5; n++) all.segment();
    expect(text(all.list, { skip: true })).not.toContain('EXT-X-SKIP');
    for (let n = 0; n < 5; n++) all.segment();
    const delta = checkMediaPlaylist(text(all.list, { skip: true }));
    expect(delta.skipped).toBe(4);
    expect(delta.segments[0]!.sequence).toBe(104);
    expect(delta.segments.length).toBe(6);
  });

  test('counts the discontinuities that left it', () => {
    const all = listed({ segmentCount: 3, firstDiscontinuity: 4 });
    const checker = new PlaylistChecker();
    const sequences: number[] = [];
    for (const discontinuity of [false, false, true, false, false, false]) {
      all.segment(discontinuity);
      checker.take(text(all.list));
      sequences.push(all.list.view!.discontinuitySequence);
    }
    expect(sequences).toEqual([4, 4, 4, 4, 4, 5]);
    expect(all.list.nextDiscontinuity).toBe(6);
  });

  test('lets the target duration grow with a segment that is longer, and never shrink', () => {
    const all = listed();
    all.segment();
    all.begin();
    for (let n = 0; n < 13; n++) all.part(n === 0);
    expect(all.list.view!.targetDuration).toBe(3);
    all.list.end();
    for (let n = 0; n < 20; n++) all.segment();
    expect(checkMediaPlaylist(text(all.list)).targetDuration).toBe(3);
  });
});

describe('the list of segments', () => {
  test('keeps what left the playlist for as long as a slow player may want it, and no longer', () => {
    const all = listed({ segmentCount: 3 });
    for (let n = 0; n < 20; n++) all.segment();
    expect(all.list.view!.segments.map(({ sequence }) => sequence)).toEqual([117, 118, 119]);
    expect(all.list.file('x-113.m4s')).toHaveLength(5);
    expect(all.list.file('x-112.m4s')).toBeUndefined();
  });

  test('never holds more than four times the largest segment', () => {
    const all = listed({ segmentMaxBytes: 10_000 });
    for (let n = 0; n < 20; n++) {
      all.segment(n % 3 === 0, 1900);
      expect(all.list.bytes).toBeLessThanOrEqual(40_000);
    }
    expect(all.list.view!.segments.length).toBeGreaterThanOrEqual(3);
  });

  test('knows what the playlist has: a part behind the last of a segment is the first of the next', () => {
    const all = listed();
    all.segment();
    all.begin();
    expect(all.list.has(100, undefined)).toBe(true);
    expect(all.list.has(100, 4)).toBe(true);
    expect(all.list.has(100, 5)).toBe(false);
    expect(all.list.has(101, 0)).toBe(false);
    all.part(true);
    expect(all.list.has(100, 5)).toBe(true);
    expect(all.list.has(101, 0)).toBe(true);
    expect(all.list.has(101, undefined)).toBe(false);
    expect(all.list.file(all.list.hint)).toBe('coming');
  });
});

test('the multivariant playlist says what there is to play, with measured rates', () => {
  const all = listed();
  all.segment(false, 1000);
  all.segment(false, 3000);
  expect(multivariantPlaylist(all.list.view!, [h264Track, aacTrack], 'hls/media.m3u8?token=t')).toBe(`#EXTM3U
#EXT-X-VERSION:9
#EXT-X-INDEPENDENT-SEGMENTS
#EXT-X-STREAM-INF:BANDWIDTH=120000,AVERAGE-BANDWIDTH=80000,CODECS="avc1.42c01e,mp4a.40.2",RESOLUTION=640x360,FRAME-RATE=25.000
hls/media.m3u8?token=t
`);
});
