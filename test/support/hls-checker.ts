/**
 * Reads media playlists as strictly as RFC 8216bis allows and throws where a rule is broken: in one playlist, and from
 * one to the next of the same address.
 */

export interface CheckedPart {
  readonly uri: string;
  readonly duration: number;
  readonly independent: boolean;
}

export interface CheckedSegment {
  readonly sequence: number;
  /** Undefined for the one that is still growing. */
  readonly uri: string | undefined;
  readonly duration: number;
  readonly discontinuity: boolean;
  readonly map: string | undefined;
  readonly programDateTime: number | undefined;
  readonly parts: readonly CheckedPart[];
}

export interface CheckedPlaylist {
  readonly targetDuration: number;
  readonly partTarget: number | undefined;
  readonly skipped: number;
  readonly segments: readonly CheckedSegment[];
  readonly hint: string | undefined;
}

/** Tags that may stand once in a playlist. */
const ONCE = [
  'VERSION',
  'TARGETDURATION',
  'MEDIA-SEQUENCE',
  'DISCONTINUITY-SEQUENCE',
  'SERVER-CONTROL',
  'PART-INF',
  'INDEPENDENT-SEGMENTS',
  'SKIP',
];

function must(holds: boolean, rule: string, text: string): asserts holds {
  if (!holds) throw new Error(`${rule}\n${text}`);
}

/** Attributes of a tag; throws where the list is malformed. */
function attributes(value: string): Record<string, string> {
  const found: Record<string, string> = {};
  let rest = value;
  while (rest.length > 0) {
    const match = /^([A-Z0-9-]+)=("[^"\r\n]*"|[^",\s]+)(,|$)/.exec(rest);
    if (!match) throw new Error(`Malformed attributes: ${value}`);
    if (match[1]! in found) throw new Error(`The attribute ${match[1]} stands twice: ${value}`);
    found[match[1]!] = match[2]!.replaceAll('"', '');
    rest = rest.slice(match[0].length);
  }
  return found;
}

export function checkMediaPlaylist(text: string): CheckedPlaylist {
  const lines = text.split('\n');
  must(lines[0] === '#EXTM3U', 'The first line is #EXTM3U (§4.4.1.1).', text);
  must(lines.at(-1) === '', 'The last line is complete.', text);
  const tags = (name: string) =>
    lines.flatMap((line) =>
      line === `#EXT-X-${name}` || line.startsWith(`#EXT-X-${name}:`) ? [line.slice(name.length + 8)] : [],
    );
  for (const name of ONCE) must(tags(name).length <= 1, `EXT-X-${name} stands once.`, text);
  const version = Number(tags('VERSION')[0] ?? 1);
  const targetDuration = Number(tags('TARGETDURATION')[0]);
  must(
    Number.isInteger(targetDuration) && targetDuration > 0,
    'EXT-X-TARGETDURATION is required (§4.4.3.1).',
    text,
  );
  const partInf = tags('PART-INF')[0];
  const partTarget = partInf === undefined ? undefined : Number(attributes(partInf)['PART-TARGET']);
  const control = attributes(tags('SERVER-CONTROL')[0] ?? '');
  if (partTarget !== undefined) {
    must(
      Number(control['PART-HOLD-BACK']) >= 3 * partTarget - 1e-9,
      'PART-HOLD-BACK is three PART-TARGETs (§4.4.3.8).',
      text,
    );
    must(control['CAN-BLOCK-RELOAD'] === 'YES', 'Low latency needs CAN-BLOCK-RELOAD (appendix B.1).', text);
  }
  if (control['CAN-SKIP-UNTIL'] !== undefined)
    must(
      Number(control['CAN-SKIP-UNTIL']) >= 6 * targetDuration,
      'CAN-SKIP-UNTIL is six target durations (§4.4.3.8).',
      text,
    );
  const skipped = Number(attributes(tags('SKIP')[0] ?? '')['SKIPPED-SEGMENTS'] ?? 0);
  must(
    tags('SKIP').length === 0 || (skipped > 0 && version >= 9),
    'EXT-X-SKIP needs version 9 and skips something (§4.4.5.2).',
    text,
  );
  let sequence = Number(tags('MEDIA-SEQUENCE')[0] ?? 0) + skipped;
  const segments: CheckedSegment[] = [];
  let map: string | undefined;
  const fresh = () => ({
    discontinuity: false,
    programDateTime: undefined as number | undefined,
    parts: [] as CheckedPart[],
    extinf: undefined as number | undefined,
  });
  let next = fresh();
  for (const line of lines.slice(1)) {
    const [, tag = '', value = ''] = /^#EXT-?X?-?([A-Z-]*):?(.*)$/.exec(line) ?? [];
    if (line === '#EXT-X-DISCONTINUITY') next.discontinuity = true;
    else if (tag === 'MAP') map = attributes(value)['URI'];
    else if (tag === 'PROGRAM-DATE-TIME') {
      next.programDateTime = Date.parse(value);
      must(!Number.isNaN(next.programDateTime), 'EXT-X-PROGRAM-DATE-TIME is a time.', text);
    } else if (tag === 'PART') {
      const part = attributes(value);
      must(
        partTarget !== undefined && Number(part['DURATION']) <= partTarget,
        `A part is no longer than PART-TARGET: ${line} (§4.4.4.9).`,
        text,
      );
      next.parts.push({
        uri: part['URI']!,
        duration: Number(part['DURATION']),
        independent: part['INDEPENDENT'] === 'YES',
      });
    } else if (tag === 'INF') {
      next.extinf = Number.parseFloat(value);
      must(
        Math.round(next.extinf) <= targetDuration,
        `A segment is no longer than EXT-X-TARGETDURATION: ${line} (§4.4.3.1).`,
        text,
      );
    } else if (line !== '' && !line.startsWith('#')) {
      const { discontinuity, programDateTime, parts, extinf } = next;
      must(extinf !== undefined, `Every segment has EXTINF: ${line} (§4.4.4.1).`, text);
      must(map !== undefined, `Fragmented MP4 needs EXT-X-MAP: ${line} (§3.1.2).`, text);
      if (parts.length > 0) {
        const sum = parts.reduce((total, { duration }) => total + duration, 0);
        must(Math.abs(sum - extinf) < 0.001, `The parts make up their segment: ${line}.`, text);
        must(parts[0]!.independent, 'Independent segments begin with an independent part.', text);
      }
      for (const { duration } of parts.slice(0, -1))
        must(
          duration >= 0.85 * partTarget!,
          `A part but the last is 85 % of PART-TARGET: ${duration} (§4.4.4.9).`,
          text,
        );
      segments.push({
        sequence: sequence++,
        uri: line,
        duration: extinf,
        discontinuity,
        map,
        programDateTime,
        parts,
      });
      next = fresh();
    }
  }
  if (next.parts.length > 0) {
    const { discontinuity, programDateTime, parts } = next;
    const duration = parts.reduce((total, part) => total + part.duration, 0);
    segments.push({ sequence, uri: undefined, duration, discontinuity, map, programDateTime, parts });
  }
  const hint = tags('PRELOAD-HINT')[0];
  return {
    targetDuration,
    partTarget,
    skipped,
    segments,
    hint: hint === undefined ? undefined : attributes(hint)['URI'],
  };
}

/** Holds what follows a playlist of the same address against it. */
export class PlaylistChecker {
  #last: CheckedPlaylist | undefined;
  readonly #known = new Map<number, CheckedSegment>();

  take(text: string): CheckedPlaylist {
    const playlist = checkMediaPlaylist(text);
    const before = this.#last;
    if (before) {
      must(
        playlist.targetDuration >= before.targetDuration,
        'EXT-X-TARGETDURATION never shrinks (§6.2.1).',
        text,
      );
      must(
        (playlist.segments[0]?.sequence ?? 0) - playlist.skipped >=
          (before.segments[0]?.sequence ?? 0) - before.skipped,
        'Segments leave at the front only (§6.2.2).',
        text,
      );
    }
    for (const segment of playlist.segments) {
      const same = this.#known.get(segment.sequence);
      if (same?.uri !== undefined) {
        must(
          same.uri === segment.uri &&
            same.duration === segment.duration &&
            same.map === segment.map &&
            same.discontinuity === segment.discontinuity,
          `Segment ${segment.sequence} stays as it was (§6.2.1).`,
          text,
        );
      }
      if (same && segment.parts.length > 0)
        must(
          same.parts.every(
            (part, i) => part.uri === segment.parts[i]?.uri && part.duration === segment.parts[i].duration,
          ),
          `Parts of ${segment.sequence} stay as they were.`,
          text,
        );
      this.#known.set(segment.sequence, segment);
    }
    this.#last = playlist;
    return playlist;
  }
}
