import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { isTelling } from '../support/burned-pictures.ts';
import { barcodeClip } from '../support/media.ts';
import { start } from '../support/process.ts';
import { readBurned, skews } from '../support/read-burned.ts';
import { eventually, sluice, type TestSluice } from '../support/sluice.ts';

const folder = fileURLToPath(new URL('../support/algorithms', import.meta.url));
const FPS = 25;
const delays = [0, 100, 1000] as const;

let server: TestSluice;

beforeAll(async () => {
  const clip = await barcodeClip({ seconds: 60, gop: FPS });
  const entries = delays.map((delayMs) => {
    const wish = `{ algorithm: barcode, parameters: { fps: 0, delayMs: ${delayMs} }, burnIn: true }`;
    return `  cam-${delayMs}: { source: '${clip}', detect: [${wish}] }`;
  });
  entries.push(`  bare: { source: '${clip}' }`);
  server = await sluice(
    ['demo: false', `algorithms: { folders: ['${folder}'] }`, 'streams:', ...entries, ''].join('\n'),
  );
  for (const delayMs of delays) await server.live(`cam-${delayMs}`);
});

afterAll(() => server?.[Symbol.asyncDispose]());

test('a player gets every picture with the boxes in their places, and the sound in step, however long the algorithm takes', async () => {
  expect(await server.runs()).toEqual([]);
  const views = await Promise.all(
    delays.map((delayMs) => readBurned(`${server.rtsp}/cam-${delayMs}/barcode`, 8)),
  );
  for (const [n, view] of views.entries()) {
    const { pictures } = view;
    const skew = skews(view, FPS);
    const boxes = pictures.filter(({ number, line }) => isTelling(number) && line > 0).length;
    const worst = Math.max(...skew.map(Math.abs));
    console.info(
      `${delays[n]} ms: ${pictures.length} pictures, ${boxes} telling boxes, skew ${worst.toFixed(1)} ms`,
    );
    expect(pictures.length).toBeGreaterThan(7 * FPS);
    for (const [i, picture] of pictures.slice(1).entries()) {
      expect(picture.number).toBe(pictures[i]!.number + 1);
      expect(Math.abs(picture.time - pictures[i]!.time - 1 / FPS)).toBeLessThan(0.002);
    }
    expect(skew.length).toBeGreaterThan(4);
    expect(worst).toBeLessThanOrEqual(40);
    expect(boxes).toBeGreaterThan(5);
  }
});

test('a view is made once for all its readers, holds its run while it is read, and is one of the API as well', async () => {
  await server.live('bare');
  const wish = { stream: 'bare', algorithm: 'barcode', burnIn: { clock: true } };
  const { body: run } = await server.post('/api/runs', wish);
  expect(run).toMatchObject({ id: 'barcode@bare', burnedIn: 'bare/barcode' });
  const read = () => {
    const input = ['-v', 'error', '-rtsp_transport', 'tcp', '-i', `${server.rtsp}/bare/barcode`];
    return start('ffmpeg', [...input, '-c', 'copy', '-f', 'null', '-'], 120_000);
  };
  await using first = read();
  await using second = read();
  const seen = await eventually(async () => {
    const view = await server.get<{ readers?: { sent: { units: number } }[] }>('/api/streams/bare/barcode');
    return view.readers?.length === 2 && view.readers.every(({ sent }) => sent.units > FPS);
  }, 60_000);
  expect(seen).toBe(true);
  const held = (await server.runs()).find(({ id }) => id === 'barcode@bare')?.leases;
  expect(held?.map(({ holder }) => holder)).toEqual(['api', 'view']);
  const bare = await server.get<{ readers: { door: string }[] }>('/api/streams/bare');
  // One for the picture and one for the sound, not two of each.
  expect(bare.readers.filter(({ door }) => door === 'composition')).toHaveLength(2);
  expect(await server.remove('/api/runs/barcode@bare')).toBe(204);
  const gone = await eventually(async () => {
    const { status } = await fetch(`${server.http}/api/streams/bare/barcode`);
    return status === 404;
  });
  expect(gone).toBe(true);
  for (const reader of [first, second]) await reader.finished;
});
