import { describe, expect, test } from 'vitest';
import { pcmaFormat } from '#codecs/g711.ts';
import type { Track } from '#media/track.ts';
import { ac3Track, av1Track, mp3Track, vp8Track, vp9Track } from '../../../test/support/coded-samples.ts';
import { aacTrack, h264Track, opusTrack } from '../../../test/support/fmp4-units.ts';
import { selectTracks, unplayableInPages } from './tracks.ts';

const g711: Track = { id: 5, clockRate: 8000, format: pcmaFormat() };
const mjpeg = { ...h264Track, id: 6, format: { ...h264Track.format, codec: 'mjpeg' } } as Track;

describe('what a page gets of a stream', () => {
  test('is the first video and the first audio track', () => {
    const { tracks, convert, unsupported } = selectTracks([aacTrack, h264Track, { ...opusTrack, id: 9 }]);
    expect(tracks).toEqual([h264Track, aacTrack]);
    expect(convert).toBeUndefined();
    expect(unsupported).toEqual([]);
  });

  test('has G.711 and MP3 made AAC first', () => {
    for (const convert of [g711, mp3Track]) {
      expect(selectTracks([h264Track, convert])).toEqual({ tracks: [h264Track], convert, unsupported: [] });
    }
  });

  test('leaves out what fMP4 does not carry, with a sentence', () => {
    const { tracks, unsupported } = selectTracks([mjpeg, aacTrack]);
    expect(tracks).toEqual([aacTrack]);
    expect(unsupported).toMatchObject([{ kind: 'video', codec: 'mjpeg' }]);
    expect(unsupported[0]?.reason).toMatch(/MJPEG.*H\.264/);
  });

  test('leaves out VP8, and says where it can be had', () => {
    const { tracks, unsupported } = selectTracks([vp8Track, opusTrack]);
    expect(tracks).toEqual([opusTrack]);
    expect(unsupported[0]?.reason).toMatch(/VP8.*WebRTC/);
  });

  test('has AC-3 beside AV1 and VP9, but for whom refuses it', () => {
    expect(selectTracks([vp9Track, ac3Track]).tracks).toEqual([vp9Track, ac3Track]);
    const page = selectTracks([av1Track, ac3Track], unplayableInPages);
    expect(page.tracks).toEqual([av1Track]);
    expect(page.unsupported[0]?.reason).toMatch(/AC-3.*HLS/);
  });

  test('leaves out AAC that never said how it is coded, because the picture would wait for it for ever', () => {
    const silent = { ...aacTrack, format: { ...aacTrack.format, config: Buffer.alloc(0) } } as Track;
    const { tracks, unsupported } = selectTracks([h264Track, silent]);
    expect(tracks).toEqual([h264Track]);
    expect(unsupported[0]?.reason).toMatch(/AudioSpecificConfig/);
  });
});
