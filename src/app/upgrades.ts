import { type IncomingHttpHeaders, type IncomingMessage, type Server, STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { parseStreamName } from '#hub/name.ts';
import { messageOf, type NamedError } from '#util/named-error.ts';

type Upgrade = (request: IncomingMessage, socket: Duplex, head: Buffer) => void;
type StreamUpgrade = (request: IncomingMessage, socket: Duplex, head: Buffer, stream: string) => void;

/** WebSocket doors: exact paths first, then `/<stream>/<door>`. */
export interface UpgradeRoutes {
  readonly paths: Readonly<Record<string, Upgrade>>;
  readonly doors: Readonly<Record<string, StreamUpgrade>>;
  /**
   * Why a request must not be taken, whichever door it wants. Browsers let any page open a WebSocket to any address, so
   * each request has to be asked where it comes from.
   */
  readonly refusal: (headers: IncomingHttpHeaders) => NamedError | undefined;
}

/** Sends each WebSocket upgrade of the HTTP server to its door; anything else is refused with a sentence. */
export function routeUpgrades(server: Server, routes: UpgradeRoutes): void {
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    socket.on('error', () => socket.destroy());
    const refusal = routes.refusal(request.headers);
    if (refusal) return refuse(socket, refusal.status, refusal.message);
    const path = (request.url ?? '/').split('?', 1)[0]!;
    const exact = routes.paths[path];
    if (exact) return exact(request, socket, head);
    const slash = path.lastIndexOf('/');
    const door = routes.doors[path.slice(slash + 1)];
    if (!door) return refuse(socket, 404, `There is no WebSocket at ${path}.`);
    try {
      door(request, socket, head, parseStreamName(decodeURIComponent(path.slice(0, slash))));
    } catch (error) {
      refuse(socket, 400, messageOf(error));
    }
  });
}

function refuse(socket: Duplex, status: number, sentence: string): void {
  const body = Buffer.from(`${sentence}\n`);
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'Refused'}\r\nConnection: close\r\nContent-Type: text/plain; charset=utf-8\r\n` +
      `Content-Length: ${body.length}\r\n\r\n${body.toString()}`,
  );
}
