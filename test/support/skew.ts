import { delays, HASH_OUTPUT, hashFile, parseFrameHashes } from './frames.ts';
import { run } from './process.ts';

/** What a reader got of a clip that is published over and over. */
export interface ReceivedSkew {
  readonly pictures: number;
  readonly sounds: number;
  /** The largest distance of sound and picture from where the clip has them, ms. */
  readonly skew: number;
  /** Decoding times of one kind of media only grow. */
  readonly monotonic: boolean;
  readonly stderr: string;
}

/**
 * What ffmpeg reads of a published clip, against the clip itself.
 * @param seconds length of the clip
 * @param input arguments of ffmpeg, `-i` included
 * @param output further arguments for what is written
 */
export async function receivedSkew(
  path: string,
  seconds: number,
  input: readonly string[],
  output: readonly string[] = [],
): Promise<ReceivedSkew> {
  // As an option of the input it counts from where the stream begins, whatever its timestamps are.
  const args = ['-v', 'error', '-copyts', '-t', '5', ...input, ...HASH_OUTPUT.slice(0, -1), ...output, '-'];
  const { stdout, stderr } = await run('ffmpeg', args);
  const received = parseFrameHashes(stdout);
  const source = await hashFile(path);
  const loop = seconds * 1000;
  const pictures = delays(source, received, 'video');
  const sounds = delays(source, received, 'audio');
  const reference = pictures[0] ?? 0;
  const apart = (delay: number) => {
    const rest = (((delay - reference) % loop) + loop) % loop;
    return Math.min(rest, loop - rest);
  };
  const monotonic = (['video', 'audio'] as const).every((kind) => {
    const times = received.filter((frame) => frame.kind === kind).map(({ time }) => time);
    return times.every((time, n) => n === 0 || time > (times[n - 1] ?? 0));
  });
  const skew = Math.max(0, ...[...pictures, ...sounds].map(apart));
  return { pictures: pictures.length, sounds: sounds.length, skew, monotonic, stderr };
}
