import { isVideo, type Track } from '#media/track.ts';

export interface PlaylistPart {
  readonly name: string;
  /** Seconds. */
  readonly duration: number;
  readonly independent: boolean;
}

export interface PlaylistSegment {
  /** Media sequence number. */
  readonly sequence: number;
  readonly name: string;
  /** Name of its initialisation segment. */
  readonly init: string;
  /** Capture time of its first unit, ms since 1970. */
  readonly ntp: number;
  readonly discontinuity: boolean;
  readonly parts: readonly PlaylistPart[];
  /** Seconds. */
  readonly duration: number;
  /** Bytes. */
  readonly size: number;
  readonly pictures: number;
  /** All but the last one are. */
  readonly complete: boolean;
}

/** What a media playlist shows. */
export interface PlaylistView {
  readonly segments: readonly PlaylistSegment[];
  /** Number of the segment that comes behind these. */
  readonly next: number;
  /** Seconds, a whole number. */
  readonly targetDuration: number;
  /** Seconds. */
  readonly partTarget: number;
  /** The first segment's, if it did not begin with a discontinuity itself. */
  readonly discontinuitySequence: number;
}

/** Parts are listed for segments that are no further from the end, in target durations (RFC 8216bis §6.2.2). */
const PARTS_LISTED = 3;
/** Least distance of the skip boundary from the end, in target durations (RFC 8216bis §4.4.3.8). */
const SKIP_BOUNDARY = 6;
/** Distance from the end at which players should begin, in part targets. */
const PART_HOLD_BACK = 3;

/**
 * A media playlist (RFC 8216bis §4.4).
 * @param options `hint`: name of the part that comes next, in a playlist of low latency; `skip`: a delta update was
 *   asked for; `suffix`: stands behind every name, such as `?token=…`
 */
export function mediaPlaylist(
  view: PlaylistView,
  options: { readonly hint: string | undefined; readonly skip: boolean; readonly suffix: string },
): string {
  const { hint, suffix } = options;
  const { segments, targetDuration, partTarget } = view;
  const lowLatency = hint !== undefined;
  const skipped = lowLatency && options.skip ? skippable(view) : 0;
  const lines = [
    '#EXTM3U',
    `#EXT-X-VERSION:${lowLatency ? 9 : 7}`,
    `#EXT-X-TARGETDURATION:${targetDuration}`,
  ];
  if (lowLatency) {
    const holdBack = seconds(PART_HOLD_BACK * partTarget, 3);
    lines.push(
      `#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=${holdBack},CAN-SKIP-UNTIL=${seconds(SKIP_BOUNDARY * targetDuration, 1)}`,
      `#EXT-X-PART-INF:PART-TARGET=${seconds(partTarget, 3)}`,
    );
  }
  lines.push('#EXT-X-INDEPENDENT-SEGMENTS', `#EXT-X-MEDIA-SEQUENCE:${segments[0]!.sequence}`);
  lines.push(`#EXT-X-DISCONTINUITY-SEQUENCE:${view.discontinuitySequence}`);
  if (skipped > 0) lines.push(`#EXT-X-SKIP:SKIPPED-SEGMENTS=${skipped}`);
  let init: string | undefined;
  let left = total(segments);
  segments.forEach((segment, i) => {
    left -= segment.duration;
    if (i < skipped || (!segment.complete && (!lowLatency || segment.parts.length === 0))) return;
    if (segment.discontinuity) lines.push('#EXT-X-DISCONTINUITY');
    if (segment.init !== init) lines.push(`#EXT-X-MAP:URI="${segment.init}${suffix}"`);
    init = segment.init;
    lines.push(`#EXT-X-PROGRAM-DATE-TIME:${new Date(segment.ntp).toISOString()}`);
    if (lowLatency && left < PARTS_LISTED * targetDuration) {
      for (const { name, duration, independent } of segment.parts) {
        const mark = independent ? ',INDEPENDENT=YES' : '';
        lines.push(`#EXT-X-PART:DURATION=${seconds(duration, 5)},URI="${name}${suffix}"${mark}`);
      }
    }
    if (segment.complete) lines.push(`#EXTINF:${seconds(segment.duration, 5)},`, `${segment.name}${suffix}`);
  });
  if (lowLatency) lines.push(`#EXT-X-PRELOAD-HINT:TYPE=PART,URI="${hint}${suffix}"`);
  return `${lines.join('\n')}\n`;
}

/** How many segments a delta update may leave out: those before the skip boundary. */
function skippable({ segments, targetDuration }: PlaylistView): number {
  const boundary = SKIP_BOUNDARY * targetDuration;
  let left = total(segments);
  let count = 0;
  for (const { duration } of segments) {
    left -= duration;
    // The whole segment lies before the boundary.
    if (left < boundary) break;
    count++;
  }
  return count;
}

/** The multivariant playlist of one media playlist that has sound and picture in it (RFC 8216bis §4.4.6). */
export function multivariantPlaylist(view: PlaylistView, tracks: readonly Track[], uri: string): string {
  const complete = view.segments.filter((segment) => segment.complete && segment.duration > 0);
  const peak = Math.max(...complete.map(({ size, duration }) => (8 * size) / duration));
  const average = (8 * complete.reduce((sum, { size }) => sum + size, 0)) / total(complete);
  const codecs = tracks.flatMap(({ format }) => (format.kind === 'data' ? [] : [format.codecString]));
  const attributes = [
    `BANDWIDTH=${Math.ceil(peak)}`,
    `AVERAGE-BANDWIDTH=${Math.ceil(average)}`,
    `CODECS="${codecs.join(',')}"`,
  ];
  const video = tracks.find(isVideo);
  if (video) {
    const fps = complete.reduce((sum, { pictures }) => sum + pictures, 0) / total(complete);
    attributes.push(
      `RESOLUTION=${video.format.width}x${video.format.height}`,
      `FRAME-RATE=${fps.toFixed(3)}`,
    );
  }
  return `${['#EXTM3U', '#EXT-X-VERSION:9', '#EXT-X-INDEPENDENT-SEGMENTS', `#EXT-X-STREAM-INF:${attributes.join(',')}`, uri].join('\n')}\n`;
}

function total(segments: readonly PlaylistSegment[]): number {
  return segments.reduce((sum, { duration }) => sum + duration, 0);
}

function seconds(value: number, digits: number): string {
  return value.toFixed(digits);
}
