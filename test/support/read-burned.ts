import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type BurnedPicture, burnedPictures } from './burned-pictures.ts';

const exec = promisify(execFile);
const RATE = 48_000;

/** A picture as a player got it. */
export interface ReadPicture extends BurnedPicture {
  /** Seconds of the player's time. */
  readonly time: number;
}

export interface ReadView {
  readonly pictures: readonly ReadPicture[];
  /** Where beeps begin, seconds of the player's time. */
  readonly beeps: readonly number[];
}

/** Reads a stream for some seconds with ffmpeg, copying, and looks at what came. */
export async function readBurned(url: string, seconds: number): Promise<ReadView> {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-burned-'));
  const file = join(folder, 'read.mkv');
  const buffers = { encoding: 'buffer', maxBuffer: 1 << 28 } as const;
  try {
    const input = ['-rtsp_transport', 'tcp', '-i', url, '-t', String(seconds)];
    await exec('ffmpeg', ['-v', 'error', ...input, '-c', 'copy', '-copyts', file]);
    const times = async (kind: 'v' | 'a') => {
      const shown = ['-select_streams', kind, '-show_entries', 'packet=pts_time', '-of', 'csv=p=0'];
      const { stdout } = await exec('ffprobe', ['-v', 'error', ...shown, file]);
      return stdout
        .trim()
        .split(/[\n,]+/)
        .map(Number);
    };
    const [video, sound] = [await times('v'), await times('a')];
    const coded = await exec(
      'ffmpeg',
      ['-v', 'error', '-i', file, '-map', '0:v', '-c', 'copy', '-f', 'h264', '-'],
      buffers,
    );
    const decoded = ['-map', '0:a', '-f', 'f32le', '-ac', '1', '-ar', String(RATE), '-'];
    const heard = await exec('ffmpeg', ['-v', 'error', '-i', file, ...decoded], buffers);
    const seen = await burnedPictures(coded.stdout);
    return {
      pictures: seen.map((picture, n) => ({ ...picture, time: video[n]! })),
      beeps: onsets(new Float32Array(new Uint8Array(heard.stdout).buffer)).map(
        (time) => time + (sound[0] ?? 0),
      ),
    };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Seconds at which it becomes loud after at least 100 ms without. */
function onsets(samples: Float32Array): number[] {
  const level = samples.reduce((most, sample) => Math.max(most, Math.abs(sample)), 0) / 3;
  const found: number[] = [];
  let quiet = 0;
  for (const [n, sample] of samples.entries()) {
    if (Math.abs(sample) < level) quiet++;
    else {
      if (quiet > RATE / 10) found.push(n / RATE);
      quiet = 0;
    }
  }
  return found;
}

/** For each beep how much later it is heard than the picture of its second is seen, ms. */
export function skews({ pictures, beeps }: ReadView, fps: number): number[] {
  const flashes = pictures.filter(({ number }) => number % fps === 0).map(({ time }) => time);
  return beeps.flatMap((beep) => {
    const nearest = flashes.toSorted((a, b) => Math.abs(a - beep) - Math.abs(b - beep))[0];
    return nearest !== undefined && Math.abs(nearest - beep) < 0.5 ? [(beep - nearest) * 1000] : [];
  });
}
