import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Fmp4Writer } from '../../src/containers/fmp4/writer.ts';
import type { AccessUnit } from '../../src/media/access-unit.ts';
import { payloadSize } from '../../src/media/access-unit.ts';
import { isVideo } from '../../src/media/track.ts';
import { clipUnits, moved } from '../support/clip-units.ts';
import type { BarcodeClipOptions } from '../support/media.ts';

const run = promisify(execFile);
let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'sluice-fmp4-'));
});
afterAll(() => rm(directory, { recursive: true }));

interface Packet {
  readonly codec_type: string;
  readonly pts: number;
  readonly dts: number;
  readonly size: string;
  readonly flags: string;
}

async function packets(path: string): Promise<Packet[]> {
  const { stdout } = await run(
    'ffprobe',
    [
      '-v',
      'error',
      '-show_packets',
      '-of',
      'json',
      '-show_entries',
      'packet=codec_type,pts,dts,size,flags',
      path,
    ],
    { maxBuffer: 64 << 20 },
  );
  return (JSON.parse(stdout) as { packets: Packet[] }).packets;
}

const cases: [string, BarcodeClipOptions][] = [
  ['H.264 with AAC', { seconds: 4, audio: 'aac' }],
  ['H.264 with B-frames and Opus', { seconds: 4, bframes: 2, audio: 'opus' }],
  ['H.265 with AAC', { seconds: 4, video: 'h265', audio: 'aac' }],
  ['H.264 alone', { seconds: 4, audio: 'none' }],
];

describe('what ffprobe and ffmpeg read of our fragmented MP4', () => {
  test.each(cases)('%s: the same timestamps, flags and sizes, and it decodes', async (_, options) => {
    const units = moved(await clipUnits(options), 50_000);
    const tracks = [...new Set(units.map(({ track }) => track))].sort((a, b) => a.id - b.id);
    const writer = new Fmp4Writer(tracks);
    const parts: Buffer[] = [];
    for (const unit of units) writer.write(unit, ({ bytes }) => parts.push(bytes));
    const path = join(directory, 'written.mp4');
    await writeFile(path, Buffer.concat(parts));

    const read = await packets(path);
    const video = read.filter(({ codec_type }) => codec_type === 'video');
    const pictures = units.filter(({ track }) => isVideo(track));
    expect(video.length).toBe(4 * 25);
    expect(video.map(({ pts, dts }) => [pts, dts])).toEqual(pictures.map(({ pts, dts }) => [pts, dts]));
    expect(video.map(({ flags }) => flags[0] === 'K')).toEqual(pictures.map(({ keyframe }) => keyframe));
    expect(video.map(({ size }) => Number(size))).toEqual(pictures.map(sizeInFile));

    // Sound that would be heard before the first picture is left out.
    const frames = units.filter((unit) => !isVideo(unit.track) && unit.ntp >= pictures[0]!.ntp - 5);
    const audio = read.filter(({ codec_type }) => codec_type === 'audio');
    // Only the last frame may still wait for a second one.
    expect(Math.abs(frames.length - audio.length)).toBeLessThanOrEqual(1);
    for (const [i, packet] of audio.entries()) {
      expect(Math.abs(packet.pts - frames[i]!.pts)).toBeLessThanOrEqual(0.005 * 48_000);
      expect(Number(packet.size)).toBe(payloadSize(frames[i]!));
      if (i > 0) expect(packet.pts).toBeGreaterThan(audio[i - 1]!.pts);
    }

    const decoded = await run('ffmpeg', ['-v', 'warning', '-xerror', '-i', path, '-f', 'null', '-']);
    expect(decoded.stderr).toBe('');
  });
});

/** Bytes of a picture's sample: NAL units with four bytes of length each, without parameter sets and delimiters. */
function sizeInFile(unit: AccessUnit): number {
  const sets = isVideo(unit.track) ? unit.track.format.parameterSets : [];
  const h264 = unit.track.format.codec === 'h264';
  return unit.payload
    .filter((nal) => !sets.includes(nal) && (h264 ? nal[0] !== 9 : nal[0] !== 35 << 1))
    .reduce((sum, nal) => sum + 4 + nal.length, 0);
}
