import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run } from './process.ts';

/** When something bright was seen and something loud was heard, in seconds of the reader's time. */
export interface Marks {
  readonly flashes: readonly number[];
  readonly beeps: readonly number[];
  /** Standard error of ffmpeg, for messages. */
  readonly stderr: string;
}

/** The part of the picture of `barcodeClip` that flashes, for ffmpeg's `crop`, whatever its size is by now. */
export const BARCODE_FLASH = 'iw/4:ih/3:iw*3/8:ih*4/9';

/**
 * Reads for some seconds with ffmpeg and looks where pictures begin to be bright, and the sound to be loud.
 * @param part of the picture that is looked at, as `crop` takes it; undefined: all of it
 */
export async function readMarks(input: readonly string[], seconds: number, part?: string): Promise<Marks> {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-marks-'));
  const [video, audio] = [join(folder, 'video'), join(folder, 'audio')];
  try {
    const { stderr } = await run('ffmpeg', [
      ...['-v', 'error', ...input, '-t', `${seconds}`],
      ...[
        '-vf',
        `${part === undefined ? '' : `crop=${part},`}scale=64:36,signalstats,metadata=print:key=lavfi.signalstats.YAVG:file=${video}`,
      ],
      '-af',
      `aresample=48000,asetnsamples=480,astats=metadata=1:reset=1,ametadata=print:key=lavfi.astats.Overall.RMS_level:file=${audio}`,
      ...['-f', 'null', '-'],
    ]);
    return {
      flashes: onsets(await readFile(video, 'utf8'), 200),
      beeps: onsets(await readFile(audio, 'utf8'), -20),
      stderr,
    };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Times at which a measured value rises above a mark, as ffmpeg's metadata filters print them. */
function onsets(text: string, mark: number): number[] {
  const times: number[] = [];
  let time = 0;
  let wasAbove = true;
  for (const line of text.split('\n')) {
    const at = /pts_time:(-?[\d.]+)/.exec(line);
    if (at) time = Number(at[1]);
    const value = /^lavfi\.[^=]+=(.+)$/.exec(line);
    if (!value) continue;
    const isAbove = Number(value[1]) > mark;
    if (isAbove && !wasAbove) times.push(time);
    wasAbove = isAbove;
  }
  return times;
}

/** For each flash how much later its beep was heard, in ms; those without a beep within half a second are left out. */
export function beepDelays({ flashes, beeps }: Marks): number[] {
  return flashes.flatMap((flash) => {
    const nearest = beeps.toSorted((a, b) => Math.abs(a - flash) - Math.abs(b - flash))[0];
    return nearest !== undefined && Math.abs(nearest - flash) < 0.5 ? [(nearest - flash) * 1000] : [];
  });
}
