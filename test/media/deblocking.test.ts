import { createHash } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { type Audience, VideoDecoder } from '#pipelines/av/video.ts';
import { fileUnits } from '../support/clip-units.ts';
import { runBytes } from '../support/process.ts';

const FILM = fileURLToPath(new URL('../../media/people.mp4', import.meta.url));
const GROUPS = 3;

const md5 = (bytes: Uint8Array) => createHash('md5').update(bytes).digest('hex');

test('a decoder does as the standard says from the keyframe on at which people begin to look, and not before', async () => {
  const units = (await fileUnits(FILM)).filter(({ track }) => track.format.kind === 'video');
  const keyframes = units.flatMap(({ keyframe }, n) => (keyframe ? [n] : []));
  const end = keyframes[GROUPS] ?? units.length;
  const decoder = await VideoDecoder.open('h264', 'algorithms');
  const lumas: string[] = [];
  let size = { width: 0, height: 0 };
  const audiences: Audience[] = ['algorithms', 'people', 'algorithms'];
  const take = (pictures: Awaited<ReturnType<VideoDecoder['decode']>>) => {
    for (const picture of pictures ?? []) {
      const { width, height, frame } = picture;
      size = { width, height };
      const [stride = 0] = frame.linesize;
      const plane = frame.data![0]!;
      const rows = Array.from({ length: height }, (_, y) => plane.subarray(y * stride, y * stride + width));
      lumas.push(md5(Buffer.concat(rows)));
      picture.release();
    }
  };
  for (const { payload, pts, keyframe } of units.slice(0, end)) {
    if (keyframe) decoder.audience = audiences.shift()!;
    take(await decoder.decode(payload, pts, keyframe));
  }
  take(await decoder.drain());
  decoder.close();
  expect(lumas).toHaveLength(end);
  const { width, height } = size;
  const args = ['-v', 'error', '-i', FILM, '-frames:v', String(end), '-vf', 'extractplanes=y'];
  const raw = await runBytes('ffmpeg', [...args, '-fps_mode', 'passthrough', '-f', 'rawvideo', '-']);
  const equal = lumas.map(
    (luma, n) => luma === md5(raw.subarray(n * width * height, (n + 1) * width * height)),
  );
  const [, second = 0, third = 0] = keyframes;
  expect(equal.slice(second, third)).not.toContain(false);
  expect(equal.slice(0, second)).not.toContain(true);
  expect(equal.slice(third, end)).not.toContain(true);
});
