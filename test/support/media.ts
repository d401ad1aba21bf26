import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, rename } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

/** What the generated clip is to be; every field has a default. */
export interface BarcodeClipOptions {
  readonly seconds: number;
  readonly fps?: number;
  /** Frames from one keyframe to the next. */
  readonly gop?: number;
  readonly bframes?: number;
  /** 48 kHz mono, or no sound at all. */
  readonly audio?: 'aac' | 'opus' | 'ac3' | 'pcma' | 'none';
  readonly video?: 'h264' | 'h265' | 'av1' | 'vp8' | 'vp9';
  /** AV1 and VP9: so many pictures the encoder looks ahead, and hides pictures that are decoded only in others; default 0. */
  readonly lag?: number;
  /** File format; `mkv` where the codecs do not fit into MP4. */
  readonly container?: 'mp4' | 'mkv';
}

/** Where the barcode stands in the 640 × 360 picture, in pixels. */
export const barcode = {
  width: 640,
  height: 360,
  /** x of the first cell; the marker cell that is always white follows the last one. */
  left: 64,
  cell: 32,
  bits: 16,
  /** A row in the middle of the cells. */
  row: 24,
  markerX: 592,
} as const;

const run = promisify(execFile);
const pending = new Map<string, Promise<string>>();

/**
 * The path of a clip whose picture carries its frame number as a barcode, with a white flash and a 1 kHz beep of 40 ms
 * at each whole second. Made by ffmpeg once and kept under the system's temporary directory by its recipe.
 *
 * Cell k (least significant first) covers x in [64+32k, 96+32k), y in [8, 40) of a black strip y in [0, 48): white for
 * 1. The cell at x in [576, 608) is always white. The flash is x in [240, 400), y in [160, 280) on frames n with
 * n mod fps = 0.
 */
export function barcodeClip(options: BarcodeClipOptions): Promise<string> {
  const args = recipe(options);
  const hash = createHash('sha256').update(JSON.stringify(args)).digest('hex').slice(0, 16);
  const directory = join(tmpdir(), 'sluice-test-media');
  const extension = options.container ?? 'mp4';
  const file = join(directory, `barcode-${hash}.${extension}`);
  const known = pending.get(file);
  if (known) return known;
  const made = make(directory, file, extension, args);
  pending.set(file, made);
  return made;
}

async function make(directory: string, file: string, extension: string, args: string[]): Promise<string> {
  if (existsSync(file)) return file;
  await mkdir(directory, { recursive: true });
  // Written beside and renamed, so that two test processes never read half a clip.
  const part = `${file}.${process.pid}.${extension}`;
  await run('ffmpeg', ['-hide_banner', '-loglevel', 'error', '-y', ...args, part], { timeout: 120_000 });
  await rename(part, file);
  return file;
}

function recipe(options: BarcodeClipOptions): string[] {
  const { seconds, fps = 25, gop = 50, bframes = 0, audio = 'aac', video = 'h264', lag = 0 } = options;
  const boxes = ['drawbox=x=0:y=0:w=640:h=48:color=black:t=fill'];
  for (let bit = 0; bit < barcode.bits; bit++) {
    const x = barcode.left + barcode.cell * bit;
    boxes.push(`drawbox=x=${x}:y=8:w=32:h=32:color=white:t=fill:enable='mod(floor(n/${2 ** bit}),2)'`);
  }
  boxes.push('drawbox=x=576:y=8:w=32:h=32:color=white:t=fill');
  boxes.push(`drawbox=x=240:y=160:w=160:h=120:color=white:t=fill:enable='not(mod(n,${fps}))'`);
  const args = ['-f', 'lavfi', '-i', `testsrc2=size=640x360:rate=${fps}:duration=${seconds}`];
  if (audio !== 'none') {
    const rate = audio === 'pcma' ? 8000 : 48000;
    // Quiet noise between the beeps: digital silence would code to nothing, and no real stream sends nothing.
    const beep = `aevalsrc='0.5*sin(2*PI*1000*t)*lt(mod(t,1),0.04)+0.004*(random(0)-0.5)':s=${rate}:d=${seconds}`;
    args.push('-f', 'lavfi', '-i', beep);
  }
  args.push('-vf', `${boxes.join(',')},format=yuv420p`);
  if (video === 'h264' || video === 'h265') args.push(...videoArgs(video, gop, bframes));
  else args.push(...openArgs(video, gop, lag));
  if (audio === 'aac') args.push('-c:a', 'aac', '-b:a', '64k');
  if (audio === 'opus') args.push('-c:a', 'libopus', '-b:a', '48k');
  if (audio === 'ac3') args.push('-c:a', 'ac3', '-b:a', '96k');
  if (audio === 'pcma') args.push('-c:a', 'pcm_alaw');
  args.push('-t', String(seconds));
  return args;
}

function videoArgs(video: 'h264' | 'h265', gop: number, bframes: number): string[] {
  const rate = [
    '-b:v',
    '1M',
    '-maxrate',
    '1500k',
    '-bufsize',
    '1M',
    '-g',
    String(gop),
    '-bf',
    String(bframes),
  ];
  if (video === 'h265') {
    const params = `log-level=error:keyint=${gop}:min-keyint=${gop}:scenecut=0:bframes=${bframes}`;
    return ['-c:v', 'libx265', '-preset', 'ultrafast', '-x265-params', params, '-tag:v', 'hvc1', ...rate];
  }
  return [
    '-c:v',
    'libx264',
    '-preset',
    'ultrafast',
    '-sc_threshold',
    '0',
    '-keyint_min',
    String(gop),
    ...rate,
  ];
}

function openArgs(video: 'av1' | 'vp9' | 'vp8', gop: number, lag: number): string[] {
  const keyframes = ['-b:v', '800k', '-g', String(gop), '-keyint_min', String(gop)];
  // libaom takes ten times as long for it.
  if (video === 'av1' && lag > 0) {
    return ['-c:v', 'libsvtav1', '-preset', '12', '-svtav1-params', `lookahead=${lag}`, ...keyframes];
  }
  const ahead = ['-lag-in-frames', String(lag), '-auto-alt-ref', lag > 0 ? '1' : '0', '-cpu-used', '8'];
  if (video === 'av1') return ['-c:v', 'libaom-av1', '-usage', 'realtime', ...ahead, ...keyframes];
  const name = video === 'vp9' ? 'libvpx-vp9' : 'libvpx';
  return ['-c:v', name, '-deadline', lag > 0 ? 'good' : 'realtime', ...ahead, ...keyframes];
}
