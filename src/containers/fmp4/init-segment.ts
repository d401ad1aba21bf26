import { pixelAspect } from '#codecs/h264.ts';
import type { Track, VideoFormat } from '#media/track.ts';
import { box, fullBox, text, u16, u32, zeros } from './boxes.ts';
import { sampleEntry } from './sample-entry.ts';

/** Ticks per second of `mvhd` and `tkhd`; fragments use the timescale of their track. */
const MOVIE_TIMESCALE = 1000;
const IDENTITY_MATRIX = u32(0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000);
/** ISO 639-2 "und", packed. */
const LANGUAGE_UNDETERMINED = 0x55c4;

/**
 * The initialisation segment of a fragmented MP4: `ftyp` and a `moov` without samples (ISO/IEC 14496-12 §8.8).
 * Track n of the list gets track number n + 1, and as timescale its own clock rate, so that timestamps need no
 * conversion and video stays on the 90 kHz key.
 * @throws NamedError TRACK_NOT_WRITABLE where a format cannot be described
 */
export function initSegment(tracks: readonly Track[]): Buffer {
  const ftyp = box('ftyp', Buffer.from('iso6'), u32(0), Buffer.from('iso5iso6mp41'));
  const mvhd = fullBox(
    'mvhd',
    0,
    0,
    u32(0, 0, MOVIE_TIMESCALE, 0, 0x10000),
    u16(0x100, 0),
    zeros(8),
    IDENTITY_MATRIX,
    zeros(24),
    u32(tracks.length + 1),
  );
  const traks = tracks.map((track, index) => trak(track, index + 1));
  const trexes = tracks.map((_, index) => fullBox('trex', 0, 0, u32(index + 1, 1, 0, 0, 0)));
  return Buffer.concat([ftyp, box('moov', mvhd, ...traks, box('mvex', ...trexes))]);
}

function trak(track: Track, id: number): Buffer {
  const { format } = track;
  const video = format.kind === 'video';
  const size = format.kind === 'video' ? shownSize(format) : u32(0, 0);
  const enabledAndInMovie = 3;
  const tkhd = fullBox(
    'tkhd',
    0,
    enabledAndInMovie,
    u32(0, 0, id, 0, 0),
    zeros(8),
    u16(0, video ? 0 : 1, video ? 0 : 0x100, 0),
    IDENTITY_MATRIX,
    size,
  );
  const mdhd = fullBox('mdhd', 0, 0, u32(0, 0, track.clockRate, 0), u16(LANGUAGE_UNDETERMINED, 0));
  const hdlr = fullBox(
    'hdlr',
    0,
    0,
    u32(0),
    Buffer.from(video ? 'vide' : 'soun'),
    zeros(12),
    text(video ? 'Video' : 'Sound'),
  );
  const header = video ? fullBox('vmhd', 0, 1, zeros(8)) : fullBox('smhd', 0, 0, zeros(4));
  const selfContained = fullBox('url ', 0, 1);
  const dinf = box('dinf', fullBox('dref', 0, 0, u32(1), selfContained));
  const stbl = box(
    'stbl',
    fullBox('stsd', 0, 0, u32(1), sampleEntry(track)),
    fullBox('stts', 0, 0, u32(0)),
    fullBox('stsc', 0, 0, u32(0)),
    fullBox('stsz', 0, 0, u32(0, 0)),
    fullBox('stco', 0, 0, u32(0)),
  );
  return box('trak', tkhd, box('mdia', mdhd, hdlr, box('minf', header, dinf, stbl)));
}

/** Width and height at which the picture is shown, 16.16: pixels that are not square change the width. */
function shownSize(format: VideoFormat): Buffer {
  const [horizontal, vertical] = pixelAspect(format);
  const width = Math.min(0xffff, Math.round((format.width * horizontal) / vertical));
  return u32(width * 0x10000, format.height * 0x10000);
}
