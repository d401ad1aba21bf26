import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { apart, delays, HASH_OUTPUT, hashFile, parseFrameHashes } from '../support/frames.ts';
import { barcodeClip } from '../support/media.ts';
import { run } from '../support/process.ts';
import { eventually, sluice } from '../support/sluice.ts';

const LOOP_SECONDS = 4;
const LOOP_MS = LOOP_SECONDS * 1000;
const algorithms = fileURLToPath(new URL('../support/algorithms', import.meta.url));

test('a file in a loop is read over RTSP in step to 10 ms, over its seams, while an algorithm takes 1 s a frame', async () => {
  const path = await barcodeClip({ seconds: LOOP_SECONDS, gop: 25 });
  await using server = await sluice(
    `demo: false\nalgorithms: { folders: ['${algorithms}'] }\nstreams: { loop: { source: '${path}' } }`,
  );
  await server.live('loop');
  const parameters = { delayMs: 1000, fps: 0 };
  expect((await server.post('/api/runs', { stream: 'loop', algorithm: 'barcode', parameters })).status).toBe(
    201,
  );
  await eventually(async () => (await server.runs())[0]?.statistics.inferred);

  const input = ['-v', 'error', '-copyts', '-rtsp_transport', 'tcp', '-i', `${server.rtsp}/loop`, '-t', '11'];
  const { stdout, stderr } = await run('ffmpeg', [...input, ...HASH_OUTPUT]);
  expect(stderr).toBe('');
  const received = parseFrameHashes(stdout);
  const source = await hashFile(path);

  const pictures = delays(source, received, 'video');
  const sounds = delays(source, received, 'audio');
  const reference = pictures[0]!;
  // At least two seams lie in what was read.
  expect(Math.max(...pictures) - reference).toBeGreaterThan(1.9 * LOOP_MS);
  expect(pictures.length).toBeGreaterThan(200);
  expect(sounds.length).toBeGreaterThan(300);
  const worst = Math.max(
    ...[...pictures, ...sounds].map((delay) => Math.abs(apart(delay, reference, LOOP_MS))),
  );
  console.log(
    `loop over RTSP: ${sounds.length} sounds, ${pictures.length} pictures, largest skew ${worst.toFixed(3)} ms`,
  );
  expect(worst).toBeLessThanOrEqual(10);
  expect((await server.runs())[0]).toMatchObject({ state: 'running' });
});
