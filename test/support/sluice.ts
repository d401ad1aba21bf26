import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Logger, pino } from 'pino';
import type { RunInfo } from '#cameras/contract.ts';
import { createServer, type SluiceServer } from '../../src/app/server.ts';
import { parseConfig } from '../../src/config/load.ts';

/** Of `GET /api/health` what tests look at. */
export interface TestHealth {
  readonly status: string;
  readonly configuration: {
    readonly file: string;
    readonly loadedAt: string;
    readonly error?: { readonly code: string; readonly message: string };
  };
}

const FREE_PORTS =
  'http: { port: 0, tlsPort: 0 }\nrtsp: { port: 0, udpPort: 0, tlsPort: 0 }\nrtmp: { port: 0, tlsPort: 0 }\nwebrtc: { port: 0 }\n';

export interface TestSluice extends AsyncDisposable {
  readonly server: SluiceServer;
  readonly http: string;
  readonly rtsp: string;
  /** GET of a JSON address of the API. */
  get<T = Record<string, unknown>>(path: string): Promise<T>;
  /** POST of JSON; gives the status and the answer. */
  post(path: string, body: unknown): Promise<{ status: number; body: Record<string, unknown> }>;
  remove(path: string): Promise<number>;
  /** Writes the configuration file anew and waits until the server has read it; gives what its health says then. */
  rewrite(yaml: string, ports?: string): Promise<TestHealth>;
  /** Writes the configuration file anew; for servers that tell their health to nobody. */
  change(yaml: string): Promise<void>;
  health(): Promise<TestHealth>;
  readonly log: Logger;
  runs(): Promise<RunInfo[]>;
  /** Resolves when the stream is live. */
  live(stream: string): Promise<void>;
}

/** The whole server in this process, workers as children, on free ports; `yaml` is the rest of its configuration. */
export async function sluice(yaml = '', log: Logger = pino({ level: 'silent' })): Promise<TestSluice> {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-test-'));
  const file = join(folder, 'sluice.yml');
  const text = `${FREE_PORTS}${yaml}`;
  await writeFile(file, text);
  const server = await createServer(parseConfig(text, file), { log, source: { file } });
  const { http, rtsp } = server.addresses;
  const json = async (path: string, init?: RequestInit) => {
    const answer = await fetch(`${server.addresses.http}${path}`, init);
    return {
      status: answer.status,
      body: (await answer.json().catch(() => ({}))) as Record<string, unknown>,
    };
  };
  const health = async () => (await json('/api/health')).body as unknown as TestHealth;
  return {
    server,
    log,
    health,
    change: async (changed) => {
      await writeFile(`${file}.new`, `${FREE_PORTS}${changed}`);
      await rename(`${file}.new`, file);
    },
    rewrite: async (changed, ports = FREE_PORTS) => {
      const before = await health();
      // As editors do it: a new file in the place of the old one.
      await writeFile(`${file}.new`, `${ports}${changed}`);
      await rename(`${file}.new`, file);
      return eventually(async () => {
        const now = await health();
        const { loadedAt, error } = now.configuration;
        const same =
          loadedAt === before.configuration.loadedAt &&
          error?.message === before.configuration.error?.message;
        return same ? undefined : now;
      }, 5000);
    },
    http,
    rtsp,
    get: async <T>(path: string) => (await json(path)).body as T,
    post: (path, body) =>
      json(path, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      }),
    remove: async (path) => (await fetch(`${server.addresses.http}${path}`, { method: 'DELETE' })).status,
    runs: async () => ((await json('/api/runs')).body as { runs: RunInfo[] }).runs,
    live: async (stream) => {
      await eventually(async () => (await json(`/api/streams/${stream}`)).body['state'] === 'live');
    },
    async [Symbol.asyncDispose]() {
      await server.close('The test is over.');
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Waits until `look` gives something other than undefined or false; it may throw while it is too early. */
export async function eventually<T>(look: () => Promise<T> | T, ms = 30_000): Promise<NonNullable<T>> {
  const end = performance.now() + ms;
  let last: unknown;
  while (performance.now() < end) {
    try {
      const value = await look();
      if (value !== undefined && value !== false && value !== null) return value;
    } catch (error) {
      last = error;
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`It did not come true within ${ms / 1000} s.`, { cause: last });
}
