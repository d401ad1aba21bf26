import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface BenchServer extends AsyncDisposable {
  readonly pid: number;
  readonly http: string;
  readonly rtsp: string;
  readonly rtmp: string;
  /** Milliseconds from the start of the process to its first answer on the HTTP door. */
  readonly startMs: number;
}

/** Starts the real server, as `npm start` does, on free ports. */
export async function startServer(configuration = ''): Promise<BenchServer> {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-bench-'));
  const [httpPort, rtspPort, rtmpPort] = [await freePort(), await freePort(), await freePort()];
  const file = join(folder, 'sluice.yml');
  await writeFile(
    file,
    `http: { port: ${httpPort} }\nrtsp: { port: ${rtspPort}, udpPort: 0 }\nrtmp: { port: ${rtmpPort} }\nwebrtc: { port: 0 }\nlog: { level: warn }\n${configuration}`,
  );
  const begun = performance.now();
  const child = spawn(process.execPath, ['bin/sluice.mjs', 'serve', '--config', file], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const http = `http://127.0.0.1:${httpPort}`;
  await until(async () => (await fetch(`${http}/api/health`)).ok, child);
  const startMs = performance.now() - begun;
  return {
    pid: child.pid!,
    http,
    rtsp: `rtsp://127.0.0.1:${rtspPort}`,
    rtmp: `rtmp://127.0.0.1:${rtmpPort}`,
    startMs,
    async [Symbol.asyncDispose]() {
      await stop(child);
      await rm(folder, { recursive: true });
    },
  };
}

/** Ends a child: SIGTERM, and SIGKILL when it stays for 6 s. */
export async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = once(child, 'exit');
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), 6000);
  await exit;
  clearTimeout(timer);
}

/** Waits until `condition` holds; a condition that throws does not hold yet. */
export async function until(condition: () => Promise<boolean>, child?: ChildProcess): Promise<void> {
  for (let tries = 0; tries < 600; tries++) {
    if (child && child.exitCode !== null) throw new Error(`The server ended with code ${child.exitCode}.`);
    if (await condition().catch(() => false)) return;
    await sleep(25);
  }
  throw new Error('The condition did not come true within 15 s.');
}

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
