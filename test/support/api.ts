import { createServer, type IncomingMessage, request } from 'node:http';
import { type Duplex, duplexPair } from 'node:stream';
import { WebSocket } from 'ws';
import type { RunStatistics } from '#algorithms/contract.ts';
import type { FoundManifest } from '#algorithms/manifest.ts';
import { BurnedInViews } from '#cameras/burned-in-views.ts';
import type { Executor } from '#cameras/contract.ts';
import { RunManager } from '#cameras/runs.ts';
import { Hub } from '#hub/hub.ts';
import { VirtualClock } from '#util/clock.ts';
import { manifest } from './manifest.ts';
import { video } from './units.ts';

const people = manifest({
  id: 'people',
  title: { en: 'People', 'zh-CN': '人员' },
  labels: ['person'],
  parameters: {
    type: 'object',
    properties: { threshold: { type: 'number', default: 0.5, minimum: 0, maximum: 1 } },
    additionalProperties: false,
  },
  licence: 'Apache-2.0',
});

export const statistics: RunStatistics = {
  offered: 10,
  inferred: 8,
  skipped: 2,
  expired: 1,
  failed: 0,
  decoded: 9,
  resultAgeMs: { p50: 50, p95: 90 },
  inferMs: { p50: 20, p95: 30 },
};

/** A hub and its runs as they are, on virtual time and with an executor that only says that it works. */
export function domain() {
  const clock = new VirtualClock();
  const hub = new Hub({ clock });
  const algorithms = new Map<string, FoundManifest>([['people', { manifest: people, path: '/people.json' }]]);
  const started: Parameters<Executor['start']>[0][] = [];
  const executor: Executor = {
    start(wish) {
      started.push(wish);
      return { id: `task-${started.length}`, epoch: 1, stop: async () => {} };
    },
  };
  const runs = new RunManager({
    executor,
    algorithms,
    clock,
    streamExists: (name) => hub.get(name) !== undefined,
  });
  const publish = (name: string) =>
    hub.publish(name, { id: 'p1', door: 'rtsp', remote: '127.0.0.1:5000' }, [video], { onClose: () => {} });
  const burnedIn = new BurnedInViews({
    runs,
    offer: (name, summoner) => hub.onDemand.add(name, summoner),
    make: () => ({ trouble: undefined, close() {} }),
  });
  return { clock, hub, algorithms, runs, burnedIn, started, publish };
}

/** Connects WebSocket clients to a handler of upgrades through memory: no port is opened. */
export function socketRoom(onUpgrade: (request: IncomingMessage, socket: Duplex, head: Buffer) => void) {
  const server = createServer().on('upgrade', onUpgrade);
  const wire = () => {
    const [near, far] = duplexPair();
    server.emit('connection', far);
    return near;
  };
  return {
    /** A client, and everything it hears, parsed. */
    connect(
      headers: Record<string, string> = {},
      path = '/',
    ): { client: WebSocket; heard: Record<string, unknown>[] } {
      const client = new WebSocket(`ws://127.0.0.1:8888${path}`, {
        createConnection: wire as never,
        headers,
      });
      const heard: Record<string, unknown>[] = [];
      client.on('message', (data: Buffer) =>
        heard.push(JSON.parse(data.toString()) as Record<string, unknown>),
      );
      return { client, heard };
    },
    /** The status of a refused upgrade. */
    async refused(headers: Record<string, string>, path = '/'): Promise<number | undefined> {
      const asked = request({
        createConnection: wire,
        path,
        headers: {
          host: '127.0.0.1:8888',
          connection: 'Upgrade',
          upgrade: 'websocket',
          'sec-websocket-version': '13',
          'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
          ...headers,
        },
      });
      asked.end();
      const answer = await new Promise<IncomingMessage>((resolve, reject) =>
        asked.once('response', resolve).once('error', reject),
      );
      answer.resume();
      return answer.statusCode;
    },
  };
}
