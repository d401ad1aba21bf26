import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createClient } from '@redis/client';

/** A real redis-server on a free port of loopback, which keeps nothing on the disk. */
export interface TestRedis extends AsyncDisposable {
  readonly port: number;
  /** Ends it as a crash does; resolves when it is gone. */
  crash(): Promise<void>;
  /** Starts it anew on the same port. */
  start(): Promise<void>;
}

/** @param more further options; those for TLS make it speak nothing else */
export async function redisServer(...more: string[]): Promise<TestRedis> {
  const tls = more.includes('--tls-cert-file');
  const port = await freePort();
  const folder = await mkdtemp(join(tmpdir(), 'sluice-redis-'));
  let child: ChildProcess | undefined;
  const start = async () => {
    const args = [
      '--bind',
      '127.0.0.1',
      tls ? '--tls-port' : '--port',
      String(port),
      '--dir',
      folder,
      '--save',
      '',
    ];
    const server = spawn('redis-server', [...args, ...(tls ? ['--port', '0'] : []), ...more], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    child = server;
    let said = '';
    await new Promise<void>((resolve, reject) => {
      server.on('error', reject);
      server.on('exit', () => reject(new Error(`redis-server ended: ${said}`)));
      server.stdout.setEncoding('utf8').on('data', (text: string) => {
        said += text;
        if (said.includes('Ready to accept connections')) resolve();
      });
    });
    server.stdout.resume();
  };
  const crash = async () => {
    const server = child;
    child = undefined;
    if (!server || server.exitCode !== null || server.signalCode !== null) return;
    const exit = once(server, 'exit');
    server.kill('SIGKILL');
    await exit;
  };
  await start();
  return {
    port,
    start,
    crash,
    async [Symbol.asyncDispose]() {
      await crash();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** A program that subscribes to a channel and keeps what comes. */
export interface TestSubscriber extends AsyncDisposable {
  readonly messages: string[];
  /** Resolves when so many have come in all. */
  until(count: number): Promise<void>;
}

/** @param url with its credentials */
export async function subscriber(url: string, channel: string): Promise<TestSubscriber> {
  const client = createClient({ url, socket: { reconnectStrategy: false } });
  client.on('error', () => {});
  await client.connect();
  const messages: string[] = [];
  const waiting = new Set<() => void>();
  await client.subscribe(channel, (message) => {
    messages.push(message);
    for (const look of [...waiting]) look();
  });
  return {
    messages,
    until: (count) =>
      new Promise((resolve, reject) => {
        const look = () => {
          if (messages.length < count) return;
          waiting.delete(look);
          clearTimeout(timer);
          resolve();
        };
        const timer = setTimeout(() => {
          waiting.delete(look);
          reject(new Error(`${messages.length} of ${count} messages came on ${channel}.`));
        }, 30_000);
        waiting.add(look);
        look();
      }),
    async [Symbol.asyncDispose]() {
      client.destroy();
    },
  };
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
