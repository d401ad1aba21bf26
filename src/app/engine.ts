import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Hub } from '#hub/hub.ts';
import type { Logger } from './logger.ts';
import { renditionStarter } from './start-rendition.ts';
import { createWorkerRoom, type WorkerRoom } from './worker-room.ts';

/** A hub and its workers, without doors: what a command needs that does one thing and ends. */
export interface Engine {
  readonly hub: Hub;
  readonly workers: WorkerRoom;
}

/** Does something with an engine that is there for nothing else; it listens for its own workers only, on a free port. */
export async function withEngine<T>(log: Logger, work: (engine: Engine) => Promise<T>): Promise<T> {
  const http = createServer();
  const linkUrl = () => `ws://127.0.0.1:${(http.address() as AddressInfo).port}/api/link`;
  const hub = new Hub({ startRendition: renditionStarter(() => workers) });
  const workers = createWorkerRoom({
    hub,
    linkUrl,
    limits: { max: 'auto', memoryMb: 1024, hostMemoryMb: 1024 },
    log,
  });
  http.on('upgrade', (request, socket, head) => workers.link.handleUpgrade(request, socket, head));
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  try {
    return await work({ hub, workers });
  } finally {
    hub.close('The command has ended.');
    await workers[Symbol.asyncDispose]();
    http.close();
    http.closeAllConnections();
  }
}
