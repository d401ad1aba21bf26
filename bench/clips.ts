import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, rename } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const PEOPLE = fileURLToPath(new URL('../media/people.mp4', import.meta.url));

export interface CameraClipOptions {
  readonly width: number;
  readonly height: number;
  readonly kbits: number;
}

/**
 * The street video at another size, 25 fps with sensor noise as a camera has it, H.264 with a keyframe every 2 s and
 * AAC, 40 s; made once and kept in the system's temporary folder.
 */
export async function cameraClip({ width, height, kbits }: CameraClipOptions): Promise<string> {
  const folder = join(tmpdir(), 'sluice-bench-media');
  const file = join(folder, `people-${width}x${height}-${kbits}k.mp4`);
  if (existsSync(file)) return file;
  await mkdir(folder, { recursive: true });
  const filter = `scale=${width}:${height}:force_original_aspect_ratio=increase,crop=${width}:${height},fps=25,noise=alls=6:allf=t`;
  const rate = ['-b:v', `${kbits}k`, '-maxrate', `${kbits}k`, '-bufsize', `${kbits}k`];
  const video = [
    '-vf',
    filter,
    '-c:v',
    'libx264',
    '-preset',
    'veryfast',
    '-tune',
    'zerolatency',
    ...rate,
    '-g',
    '50',
    '-bf',
    '0',
    '-slices',
    '1',
  ];
  const part = `${file}.${process.pid}.mp4`;
  await run('ffmpeg', [
    '-v',
    'error',
    '-y',
    '-t',
    '40',
    '-i',
    PEOPLE,
    ...video,
    '-c:a',
    'aac',
    '-b:a',
    '64k',
    part,
  ]);
  await rename(part, file);
  return file;
}

/** CPU seconds that ffmpeg needs per second of the clip just to decode its pictures on one thread. */
export async function decodeCost(clip: string, skipLoopFilter: boolean): Promise<number> {
  const filter = skipLoopFilter ? ['-skip_loop_filter', 'all'] : [];
  const input = ['-benchmark', '-threads', '1', ...filter, '-t', '30', '-i', clip];
  const { stderr } = await run('ffmpeg', ['-hide_banner', ...input, '-map', '0:v', '-f', 'null', '-'], {
    maxBuffer: 1 << 24,
  });
  const used = /bench: utime=([\d.]+)s stime=([\d.]+)s/.exec(stderr);
  return (Number(used?.[1]) + Number(used?.[2])) / 30;
}
