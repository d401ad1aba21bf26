import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import type { Result } from '#algorithms/contract.ts';
import { joinAnnexB } from '#codecs/nal.ts';
import { burnedPictures, isTelling } from '../support/burned-pictures.ts';
import { FakeHub } from '../support/fake-hub.ts';
import { barcodeClip } from '../support/media.ts';
import { start } from '../support/process.ts';

const manifest = fileURLToPath(new URL('../support/algorithms/barcode/manifest.json', import.meta.url));
const example = fileURLToPath(new URL('../../examples/legacy-algorithm/', import.meta.url));
const SECONDS = 8;
/** Of the track that is made. */
const MADE = 60_000;

/** A clip, an algorithm that looks at it, and its results burned in: the first so many pictures. */
async function burned(
  hub: FakeHub,
  run: { algorithm: string; manifest: string; parameters: Record<string, unknown> },
  count: number,
  { hold = false, bframes = 0 } = {},
) {
  const path = await barcodeClip({ seconds: SECONDS, gop: 25, bframes, audio: 'none' });
  hub.task({ kind: 'file-source', stream: 'clip', path, loop: true }, 'source');
  await hub.until(() => hub.units.length > 0, 'the first unit');
  // The first picture that is shown is the first one that comes.
  const first = hub.units[0]!.pts;
  hub.task({ kind: 'run', run: 'r', stream: 'clip', ...run });
  const burnIn = { run: 'r', maxDelayMs: 5000, ...(hold ? { hold: true as const } : {}) };
  hub.task({ kind: 'rendition', stream: 'clip', track: 0, id: MADE, request: { codec: 'h264', burnIn } });
  const made = () => hub.units.filter(({ trackId }) => trackId === MADE);
  await hub.until(() => made().length >= count, `${count} pictures`, 90_000);
  const units = made().slice(0, count);
  const seen = await burnedPictures(joinAnnexB(units.flatMap(({ payload }) => payload)));
  const results = hub.all('task.result').map(({ result }) => result as Result);
  const pictures = units.map((unit, n) => ({
    ...seen[n]!,
    pts: unit.pts,
    expected: ((unit.pts - first) / 3600) % (SECONDS * 25),
    measured: results.some(({ pts }) => pts === unit.pts),
  }));
  const came = new Map(hub.units.filter(({ trackId }) => trackId === 0).map(({ pts, at }) => [pts, at]));
  const lateMs = units.map(({ pts, at }) => at - came.get(pts)!);
  return { units, pictures, results, lateMs };
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1]!;
}

test.each([
  { delayMs: 0, bframes: 0, count: 120, atLeast: 15 },
  { delayMs: 100, bframes: 2, count: 120, atLeast: 5 },
  { delayMs: 1000, bframes: 0, count: 200, atLeast: 1 },
])(
  'every picture comes, and what was measured is drawn on its own, with an algorithm that takes $delayMs ms',
  async ({ delayMs, bframes, count, atLeast }) => {
    await using hub = await FakeHub.start();
    const parameters = { fps: 0, delayMs };
    const run = { algorithm: 'barcode', manifest, parameters };
    const { units, pictures, lateMs } = await burned(hub, run, count, { bframes });
    for (const [n, { pts }] of units.slice(1).entries()) expect(pts - units[n]!.pts).toBe(3600);
    for (const { number, expected } of pictures) expect(number).toBe(expected);
    const telling = pictures.filter(({ number }) => isTelling(number));
    // Drawn thick on a picture that nobody looked at: a box on a wrong picture.
    expect(telling.filter(({ line, measured }) => line >= 3 && !measured)).toEqual([]);
    const shown = telling.filter(({ line, measured }) => line >= 3 && measured);
    const due = telling.filter(({ measured }) => measured);
    // Waiting for the algorithm with each picture would make the last one of 200 three minutes late.
    const [early, late] = [median(lateMs.slice(20, 60)), median(lateMs.slice(-40))];
    console.info(
      `${delayMs} ms: ${shown.length} of ${due.length} measured boxes drawn as such; ${early.toFixed(0)} ms late, in the end ${late.toFixed(0)} ms`,
    );
    expect(late).toBeLessThan(10_000);
    expect(shown.length).toBeGreaterThanOrEqual(atLeast);
    // Between them the box moves along, thinner, in the place that belongs to the picture.
    if (delayMs > 0) expect(telling.some(({ line }) => line === 1 || line === 2)).toBe(true);
  },
);

test.each([
  { hold: false, between: 'the camera has its own' },
  { hold: true, between: 'it stands until the next one' },
])(
  'a picture that a service of the old kind gives back is shown for the one it was made from; between them $between',
  async ({ hold }) => {
    await using service = start(process.execPath, [join(example, 'server.mjs'), '0'], 180_000);
    await expect.poll(() => service.stdout, { timeout: 20_000 }).toContain('http://');
    const folder = await mkdtemp(join(tmpdir(), 'sluice-legacy-'));
    try {
      const described = JSON.parse(await readFile(join(example, 'manifest.json'), 'utf8'));
      described.adapter.url = service.stdout.trim();
      const path = join(folder, 'legacy.json');
      await writeFile(path, JSON.stringify(described));
      await using hub = await FakeHub.start();
      const run = { algorithm: 'legacy-example', manifest: path, parameters: { fps: 5 } };
      const { pictures, results } = await burned(hub, run, 100, { hold });
      expect(results[0]).toMatchObject({ objects: [], state: { state: 'ok', type: 'example' } });
      const framed = pictures.filter(({ framed }) => framed);
      if (hold) {
        // The number comes with the picture that was given back, and is that of one that was looked at.
        const numbers = new Set(pictures.filter(({ measured }) => measured).map(({ expected }) => expected));
        for (const { number } of framed) expect(numbers).toContain(number);
        expect(new Set(framed.map(({ number }) => number)).size).toBeGreaterThan(2);
        expect(framed.length).toBeGreaterThan(50);
      } else {
        for (const { number, expected } of pictures) expect(number).toBe(expected);
        for (const { measured } of framed) expect(measured).toBe(true);
        expect(framed.length).toBeGreaterThan(3);
        expect(framed.length).toBeLessThan(50);
      }
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  },
);
