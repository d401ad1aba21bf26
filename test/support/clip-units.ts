import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { AccessUnit } from '../../src/media/access-unit.ts';
import { tracksOf, unitsOf } from './fmp4-reader.ts';
import { type BarcodeClipOptions, barcodeClip } from './media.ts';

const run = promisify(execFile);

/** The access units of a generated clip, see {@link fileUnits}. */
export async function clipUnits(options: BarcodeClipOptions): Promise<AccessUnit[]> {
  return fileUnits(await barcodeClip(options), options.video === 'h265' ? ['-tag:v', 'hvc1'] : []);
}

/**
 * The access units of a file, by way of ffmpeg's own fragments, in the order of decoding time.
 * @param tag options of ffmpeg for the output
 */
export async function fileUnits(clip: string, tag: readonly string[] = []): Promise<AccessUnit[]> {
  const path = join(tmpdir(), `sluice-${randomUUID()}.mp4`);
  const flags = 'empty_moov+default_base_moof+frag_keyframe+delay_moov';
  await run('ffmpeg', ['-v', 'error', '-i', clip, '-c', 'copy', ...tag, '-movflags', flags, path]);
  const file = await readFile(path);
  await rm(path);
  const units = unitsOf(file, tracksOf(file), 1_700_000_000_000);
  return units.sort((a, b) => a.dts / a.track.clockRate - b.dts / b.track.clockRate);
}

/** The same, so many seconds later. */
export function moved(units: readonly AccessUnit[], seconds: number): AccessUnit[] {
  return units.map((unit) => {
    const ticks = Math.round(seconds * unit.track.clockRate);
    return { ...unit, pts: unit.pts + ticks, dts: unit.dts + ticks, ntp: unit.ntp + seconds * 1000 };
  });
}
