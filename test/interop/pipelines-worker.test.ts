import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import type { TaskSpec } from '#link/messages.ts';
import { FakeHub } from '../support/fake-hub.ts';
import { barcodeClip } from '../support/media.ts';

const manifest = fileURLToPath(new URL('../support/algorithms/barcode/manifest.json', import.meta.url));

/** A worker at work: a source, and a run with its algorithm host. */
async function busyWorker(): Promise<{ hub: FakeHub; host: number }> {
  const hub = await FakeHub.start();
  const path = await barcodeClip({ seconds: 2, gop: 25 });
  hub.task({ kind: 'file-source', stream: 'clip', path, loop: true });
  await hub.find('publish');
  const spec: TaskSpec = {
    kind: 'run',
    run: 'r',
    stream: 'clip',
    algorithm: 'barcode',
    manifest,
    parameters: {},
  };
  hub.task(spec);
  await hub.find('task.result');
  const list = execFileSync('ps', ['-o', 'pid=', '--ppid', String(hub.worker.pid)], { encoding: 'utf8' });
  return { hub, host: Number(list.trim().split(/\s+/)[0]) };
}

/** A process that has ended but was not waited for yet (a zombie) is not alive. */
function isAlive(pid: number): boolean {
  try {
    return !execFileSync('ps', ['-o', 'stat=', '-p', String(pid)], { encoding: 'utf8' }).startsWith('Z');
  } catch {
    return false;
  }
}

async function isGone(pid: number): Promise<boolean> {
  for (let i = 0; i < 40 && isAlive(pid); i++) await new Promise((resolve) => setTimeout(resolve, 50));
  return !isAlive(pid);
}

const endings: [string, (hub: FakeHub) => void][] = [
  ['SIGTERM', (hub) => hub.worker.kill('SIGTERM')],
  ['the end of the link', (hub) => hub.closeLink()],
  ['the end of who started it', (hub) => hub.worker.disconnect()],
];

for (const [name, end] of endings) {
  test(`${name} ends a busy worker within 2 s, and its algorithm host with it`, async () => {
    const { hub, host } = await busyWorker();
    await using _ = hub;
    const started = performance.now();
    end(hub);
    expect(await hub.exited).toEqual({ code: 0, signal: null });
    expect(performance.now() - started).toBeLessThan(2000);
    expect(await isGone(host)).toBe(true);
  });
}

test('an algorithm host does not outlive a worker that is killed', async () => {
  const { hub, host } = await busyWorker();
  await using _ = hub;
  hub.worker.kill('SIGKILL');
  await hub.exited;
  expect(await isGone(host)).toBe(true);
});

test('a task that fails leaves the others alone', async () => {
  const { hub } = await busyWorker();
  await using _ = hub;
  const bad = hub.task({ kind: 'file-source', stream: 'bad', path: '/nowhere.mp4', loop: true });
  expect(await hub.state(bad, 'failed')).toMatchObject({ code: 'INPUT_MISSING' });
  const before = hub.all('task.result').length;
  await hub.until(() => hub.all('task.result').length > before + 3, 'further results');
});

test('a newer epoch of a task replaces the older one', async () => {
  await using hub = await FakeHub.start();
  const path = await barcodeClip({ seconds: 2, gop: 25 });
  hub.task({ kind: 'file-source', stream: 'clip', path, loop: true }, 'same');
  await hub.find('publish', ({ epoch }) => epoch === 1);
  hub.task({ kind: 'file-source', stream: 'clip', path, loop: true }, 'same');
  await hub.find('publish', ({ epoch }) => epoch === 2);
  expect(hub.all('unpublish')).toHaveLength(1);
  expect(hub.all('task.state').filter(({ epoch, state }) => epoch === 1 && state === 'done')).toHaveLength(1);
});

test('a worker that cannot reach the hub ends with a sentence', () => {
  const entry = fileURLToPath(new URL('../../src/app/worker.ts', import.meta.url));
  const env = { ...process.env, SLUICE_LINK: 'ws://127.0.0.1:9/?token=geheim', SLUICE_WORKER: 'w' };
  try {
    execFileSync(process.execPath, [entry], { env, stdio: 'pipe', encoding: 'utf8', timeout: 10_000 });
    expect.unreachable();
  } catch (error) {
    const { status, stderr } = error as { status: number; stderr: string };
    expect(status).toBe(1);
    expect(stderr).toContain('cannot reach the hub');
    expect(stderr).not.toContain('geheim');
  }
});
