import { existsSync, mkdirSync, renameSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run } from './process.ts';

const VIDEO = ['-f', 'lavfi', '-i', 'testsrc2=size=320x180:rate=25:duration=6'];
// Noise: no piece of it occurs twice, so received sound can be found in it.
const SOUND = ['-f', 'lavfi', '-i', 'anoisesrc=sample_rate=48000:duration=6:seed=7:amplitude=0.2'];
const H264 = ['-c:v', 'libx264', '-preset', 'veryfast', '-b:v', '600k', '-g', '50', '-pix_fmt', 'yuv420p'];
const FOUR_MBIT = ['-b:v', '4M', '-minrate', '4M', '-maxrate', '4M', '-bufsize', '1M'];
const H265 = ['-c:v', 'libx265', '-preset', 'ultrafast', '-b:v', '600k', '-pix_fmt', 'yuv420p'];
const X265 = ['-x265-params', 'keyint=50:min-keyint=50:bframes=0:log-level=none'];

const RECIPES = {
  'h264-aac': { file: 'h264-aac.mp4', args: [...VIDEO, ...SOUND, ...H264, '-bf', '0', '-c:a', 'aac'] },
  'h265-opus': { file: 'h265-opus.mkv', args: [...VIDEO, ...SOUND, ...H265, ...X265, '-c:a', 'libopus'] },
  'h264-bframes-pcma': {
    file: 'h264-bframes-pcma.mkv',
    args: [...VIDEO, ...SOUND, ...H264, '-bf', '2', '-c:a', 'pcm_alaw', '-ar', '8000', '-ac', '1'],
  },
  /** Noise that fills buffers fast: 4 Mbit/s, a keyframe each second. */
  'h264-4m': {
    file: 'h264-4m.mp4',
    args: [...VIDEO, '-vf', 'noise=alls=60:allf=t', ...H264, '-bf', '0', '-g', '25', ...FOUR_MBIT],
  },
  aac: { file: 'aac.mp4', args: [...SOUND, '-c:a', 'aac'] },
  h264: { file: 'h264.mp4', args: [...VIDEO, ...H264, '-bf', '0'] },
} as const;

export type ClipName = keyof typeof RECIPES;

/** 150 pictures of 320 x 180 at 25 fps with a keyframe every 2 s, and 6 s of noise as sound. */
export const clip = { frames: 150, fps: 25 } as const;

/** The path of a clip; ffmpeg makes it once and it is kept under the system's temporary directory. */
export async function clipPath(name: ClipName): Promise<string> {
  const directory = join(tmpdir(), 'sluice-test-clips-1');
  mkdirSync(directory, { recursive: true });
  const { file, args } = RECIPES[name];
  const path = join(directory, file);
  if (existsSync(path)) return path;
  const unfinished = join(directory, `${process.pid}-${file}`);
  const made = await run('ffmpeg', ['-v', 'error', '-y', ...args, unfinished]);
  if (made.code !== 0) throw new Error(`ffmpeg could not make ${file}: ${made.stderr}`);
  renameSync(unfinished, path);
  return path;
}
