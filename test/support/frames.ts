import { run } from './process.ts';

/** One line of ffmpeg's framehash: what was read, and when. */
export interface HashedFrame {
  readonly kind: 'video' | 'audio';
  /** Seconds. */
  readonly time: number;
  readonly hash: string;
}

/** Arguments that make ffmpeg write decoded pictures and encoded sound as hashes with their own timestamps. */
export const HASH_OUTPUT = [
  ...['-map', '0', '-c:v', 'rawvideo', '-c:a', 'copy', '-fps_mode', 'passthrough'],
  ...['-enc_time_base', '-1', '-f', 'framehash', '-hash', 'md5', '-'],
];

/** Reads the text that ffmpeg writes for `-f framehash`. */
export function parseFrameHashes(text: string): HashedFrame[] {
  const bases = new Map<string, number>();
  const kinds = new Map<string, 'video' | 'audio'>();
  const frames: HashedFrame[] = [];
  for (const line of text.split('\n')) {
    const header = /^#(tb|media_type) (\d+): (.*)$/.exec(line);
    if (header?.[1] === 'tb') {
      const [numerator, denominator] = (header[3] ?? '').split('/').map(Number);
      bases.set(header[2] ?? '', (numerator ?? 0) / (denominator ?? 1));
    } else if (header) {
      kinds.set(header[2] ?? '', header[3] === 'video' ? 'video' : 'audio');
    } else if (!line.startsWith('#') && line.trim() !== '') {
      const [stream = '', , pts, , , hash = ''] = line.split(',').map((field) => field.trim());
      const kind = kinds.get(stream);
      if (kind) frames.push({ kind, time: Number(pts) * (bases.get(stream) ?? 0), hash });
    }
  }
  return frames;
}

/** Pictures and sound of a file. */
export async function hashFile(path: string): Promise<HashedFrame[]> {
  const { stdout, stderr, code } = await run('ffmpeg', [
    '-v',
    'error',
    '-copyts',
    '-i',
    path,
    ...HASH_OUTPUT,
  ]);
  if (code !== 0) throw new Error(`ffmpeg cannot read ${path}: ${stderr}`);
  return parseFrameHashes(stdout);
}

/**
 * How much later each received frame is than the same frame of the source, in ms. Frames are recognised by their
 * hash; ones that occur twice in the source are left out.
 */
export function delays(
  source: readonly HashedFrame[],
  received: readonly HashedFrame[],
  kind: 'video' | 'audio',
) {
  const times = new Map<string, number | undefined>();
  for (const frame of source) {
    if (frame.kind === kind) times.set(frame.hash, times.has(frame.hash) ? undefined : frame.time);
  }
  return received.flatMap((frame) => {
    const time = frame.kind === kind ? times.get(frame.hash) : undefined;
    return time === undefined ? [] : [(frame.time - time) * 1000];
  });
}

/** Distance of two delays of a clip that is played in a loop, ms with sign; whole passes of it do not count. */
export function apart(delay: number, reference: number, passMs: number): number {
  const rest = (((delay - reference) % passMs) + passMs) % passMs;
  return rest > passMs / 2 ? rest - passMs : rest;
}
