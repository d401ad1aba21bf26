import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, expect, test } from 'vitest';
import type { Frame } from '#algorithms/contract.ts';
import type { FromHost, ToHost } from '#algorithms/host-messages.ts';
import { readManifest } from '#algorithms/manifest.ts';
import { resolveParameters } from '#algorithms/parameters.ts';

const root = join(import.meta.dirname, '../..');
const entry = join(root, 'src/app/algorithm-host.ts');
const people = join(root, 'models/people.json');
const barcode = join(root, 'test/support/algorithms/barcode/manifest.json');
const flaky = join(root, 'test/support/algorithms/flaky/manifest.json');

const children = new Set<ChildProcess>();
afterEach(() => {
  for (const child of children) child.kill('SIGKILL');
  children.clear();
});

type Answer<Type extends FromHost['type']> = Extract<FromHost, { type: Type }>;

/** An algorithm host and what it says. */
class Host {
  readonly child: ChildProcess;
  readonly #said: FromHost[] = [];

  constructor(manifest: string) {
    this.child = fork(entry, [manifest], { serialization: 'advanced' });
    children.add(this.child);
    this.child.on('message', (message) => this.#said.push(message as FromHost));
  }

  say(message: ToHost): void {
    this.child.send(message);
  }

  /** The next answer of a type, each once, in their order. */
  async hear<Type extends FromHost['type']>(type: Type): Promise<Answer<Type>> {
    for (;;) {
      const index = this.#said.findIndex((message) => message.type === type);
      if (index >= 0) return this.#said.splice(index, 1)[0] as Answer<Type>;
      await once(this.child, 'message');
    }
  }

  async end(): Promise<{ readonly code: number | null; readonly signal: string | null }> {
    const { exitCode, signalCode } = this.child;
    if (exitCode === null && signalCode === null) await once(this.child, 'exit');
    return { code: this.child.exitCode, signal: this.child.signalCode };
  }
}

async function open(manifest: string, given: Record<string, unknown> = {}): Promise<Host> {
  const host = new Host(manifest);
  await host.hear('ready');
  host.say({ type: 'open', run: 'run', parameters: resolveParameters(await readManifest(manifest), given) });
  return host;
}

function frame(width: number, height: number, format: Frame['format'], data: Uint8Array, pts = 0): Frame {
  return { width, height, format, data, sourceWidth: width, sourceHeight: height, pts, ntp: 0 };
}

/** A grey picture with the barcode of the generated clip. */
function withBarcode(number: number, width = 640, height = 360): Frame {
  const data = new Uint8Array(width * height).fill(128);
  const fill = (x0: number, x1: number, y0: number, y1: number, value: number) => {
    for (let y = Math.round((y0 * height) / 360); y < Math.round((y1 * height) / 360); y++) {
      data.fill(
        value,
        y * width + Math.round((x0 * width) / 640),
        y * width + Math.round((x1 * width) / 640),
      );
    }
  };
  fill(0, 640, 0, 48, 16);
  for (let bit = 0; bit < 16; bit++) {
    if ((number >> bit) & 1) fill(64 + 32 * bit, 96 + 32 * bit, 8, 40, 235);
  }
  fill(576, 608, 8, 40, 235);
  return frame(width, height, 'gray8', data, number * 3600);
}

test('the plug-in of the tests reads barcodes, scaled ones too, and gives one followed object', async () => {
  const host = await open(barcode);
  const sizes = [
    [640, 360],
    [320, 180],
    [1280, 720],
  ] as const;
  for (const [sequence, number] of [0, 1, 4711, 40_000, 65_535].entries()) {
    const [width, height] = sizes[sequence % 3] ?? [640, 360];
    host.say({ type: 'frame', run: 'run', sequence, frame: withBarcode(number, width, height) });
    const found = await host.hear('found');
    expect(found).toMatchObject({ sequence, state: { number } });
    expect(found.objects[0]).toMatchObject({
      label: 'barcode',
      score: 1,
      observed: true,
      attributes: { number },
    });
  }
  host.say({ type: 'frame', run: 'run', sequence: 9, frame: frame(64, 64, 'gray8', new Uint8Array(4096)) });
  expect(await host.hear('found')).toMatchObject({ sequence: 9, objects: [] });
});

test('the moving object of the barcode keeps its identity', async () => {
  const host = await open(barcode, { delayMs: 1 });
  const ids = new Set<number | undefined>();
  for (let number = 0; number < 90; number += 3) {
    host.say({ type: 'frame', run: 'run', sequence: number, frame: withBarcode(number) });
    for (const object of (await host.hear('found')).objects) ids.add(object.id);
  }
  expect([...ids]).toEqual([1]);
});

test('the detector runs in the host, and says what memory it takes', async () => {
  const host = await open(people, { classes: ['person', 'car'] });
  const grey = new Uint8Array(416 * 320 * 3).fill(128);
  host.say({ type: 'frame', run: 'run', sequence: 1, frame: frame(416, 320, 'rgb24', grey) });
  expect(await host.hear('found')).toMatchObject({ run: 'run', sequence: 1, objects: [] });
  host.say({ type: 'ping', sequence: 2 });
  const { rssBytes } = await host.hear('pong');
  console.log(`resident memory of the host with NanoDet: ${Math.round(rssBytes / 2 ** 20)} MiB`);
  expect(rssBytes).toBeLessThan(400 * 2 ** 20);
});

test('a frame the detector cannot take is an error of that frame, and the host goes on', async () => {
  const host = await open(people);
  host.say({ type: 'frame', run: 'run', sequence: 1, frame: frame(10, 10, 'rgb24', new Uint8Array(300)) });
  expect(await host.hear('error')).toMatchObject({
    sequence: 1,
    message: expect.stringContaining('10 × 10'),
  });
  host.say({ type: 'frame', run: 'run', sequence: 2, frame: frame(32, 32, 'rgb24', new Uint8Array(3072)) });
  expect(await host.hear('found')).toMatchObject({ sequence: 2 });
});

test('a missing model, a file that is no model, and a broken plug-in are named, and the host ends', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-host-'));
  try {
    const manifest = JSON.parse(await readFile(people, 'utf8')) as Record<string, unknown>;
    const path = join(folder, 'manifest.json');
    for (const [adapter, content, code] of [
      [{ kind: 'onnx', file: 'none.onnx', decoder: 'nanodet' }, undefined, 'MODEL_MISSING'],
      [{ kind: 'onnx', file: 'no.onnx', decoder: 'nanodet' }, 'no model', 'MODEL_INVALID'],
      [{ kind: 'plugin', file: 'empty.mjs' }, '', 'PLUGIN_INVALID'],
      [
        { kind: 'plugin', file: 'broken.mjs' },
        'export default () => { throw new Error("no luck"); }',
        'PLUGIN_INVALID',
      ],
    ] as const) {
      if (content !== undefined) await writeFile(join(folder, adapter.file), content);
      await writeFile(path, JSON.stringify({ ...manifest, adapter }));
      const host = new Host(path);
      const failed = await host.hear('failed');
      expect(failed.code).toBe(code);
      expect(failed.message).toContain(adapter.file);
      expect(await host.end()).toEqual({ code: 1, signal: null });
    }
  } finally {
    await rm(folder, { recursive: true });
  }
});

test('the host ends when the other end goes away, also while the model computes', async () => {
  const host = await open(people);
  const large = frame(1280, 1280, 'rgb24', new Uint8Array(1280 * 1280 * 3));
  host.say({ type: 'frame', run: 'run', sequence: 1, frame: large });
  host.child.disconnect();
  expect(await host.end()).toEqual({ code: 0, signal: null });
});

test('the host ends on SIGTERM, also while a plug-in takes its time', async () => {
  const idle = await open(barcode);
  idle.child.kill('SIGTERM');
  expect(await idle.end()).toEqual({ code: 0, signal: null });

  const busy = await open(barcode, { delayMs: 5000 });
  busy.say({ type: 'frame', run: 'run', sequence: 1, frame: withBarcode(1) });
  busy.say({ type: 'ping', sequence: 1 });
  await busy.hear('pong');
  const start = performance.now();
  busy.child.kill('SIGTERM');
  expect(await busy.end()).toEqual({ code: 0, signal: null });
  expect(performance.now() - start).toBeLessThan(3000);
});

test('the flaky plug-in fails, dies and hangs when it is told to', async () => {
  const blank = frame(32, 32, 'gray8', new Uint8Array(1024));
  const failing = await open(flaky, { throwAt: 1, dieAt: 3 });
  failing.say({ type: 'frame', run: 'run', sequence: 1, frame: blank });
  expect(await failing.hear('error')).toMatchObject({ sequence: 1 });
  failing.say({ type: 'frame', run: 'run', sequence: 2, frame: blank });
  expect(await failing.hear('found')).toMatchObject({ state: { frames: 2 } });
  failing.say({ type: 'frame', run: 'run', sequence: 3, frame: blank });
  expect(await failing.end()).toEqual({ code: null, signal: 'SIGKILL' });

  const hanging = await open(flaky, { hangAt: 1 });
  hanging.say({ type: 'frame', run: 'run', sequence: 1, frame: blank });
  // Nothing tells from outside that a process hangs, but that it is silent.
  await delay(100);
  hanging.say({ type: 'ping', sequence: 1 });
  const answered = hanging.hear('pong').then(() => true);
  expect(await Promise.race([answered, delay(300, false)])).toBe(false);
});
