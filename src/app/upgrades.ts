import { type IncomingHttpHeaders, type IncomingMessage, type Server, STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Identity } from '#hub/access.ts';
import { refusalHeaders } from '#hub/http-credentials.ts';
import { parseStreamName } from '#hub/name.ts';
import { messageOf, NamedError } from '#util/named-error.ts';
import { closeFrame } from '#util/websocket-frame.ts';

/** What a Close frame says to who may be here no longer (RFC 6455 §7.4.1). */
const POLICY_VIOLATION = 1008;
/** Until who was put out has taken what was on the way. */
const LINGER_MS = 1000;

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
  /**
   * Lets somebody in, or throws why not. `stream` is undefined for the exact paths; those in `unasked` have a way of
   * their own to know who comes.
   */
  readonly admit: (request: IncomingMessage, door: string, stream: string | undefined) => Promise<Identity>;
  readonly unasked?: readonly string[];
  /** Told of what nobody expected. */
  readonly onFault: (error: unknown, where: string) => void;
}

/** Sends each WebSocket upgrade of the HTTP server to its door; anything else is refused with a sentence. */
export function routeUpgrades(server: Server, routes: UpgradeRoutes): void {
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    socket.on('error', () => socket.destroy());
    const refusal = routes.refusal(request.headers);
    if (refusal) return refuse(socket, refusal.status, refusal.message);
    const path = (request.url ?? '/').split('?', 1)[0]!;
    const exact = Object.hasOwn(routes.paths, path) ? routes.paths[path] : undefined;
    if (exact && routes.unasked?.includes(path)) return exact(request, socket, head);
    if (exact) return admit(routes, request, socket, path, undefined, () => exact(request, socket, head));
    const slash = path.lastIndexOf('/');
    const name = path.slice(slash + 1);
    const door = Object.hasOwn(routes.doors, name) ? routes.doors[name] : undefined;
    if (!door) return refuse(socket, 404, `There is no WebSocket at ${path}.`);
    let stream: string;
    try {
      stream = parseStreamName(decodeURIComponent(path.slice(0, slash)));
    } catch (error) {
      return refuse(socket, 400, messageOf(error));
    }
    admit(routes, request, socket, name, stream, () => door(request, socket, head, stream));
  });
}

/** Goes on when whoever comes may come in; they are put out when that is not so any more. */
function admit(
  { admit: ask, onFault }: UpgradeRoutes,
  request: IncomingMessage,
  socket: Duplex,
  door: string,
  stream: string | undefined,
  enter: () => void,
): void {
  ask(request, door, stream)
    .then(({ onRevoked }) => {
      if (socket.destroyed) return;
      const written = request.socket.bytesWritten;
      const leave = onRevoked?.((reason) => putOut(socket, reason, request.socket.bytesWritten > written));
      if (leave) socket.once('close', leave);
      enter();
    })
    .catch((error: unknown) => {
      if (error instanceof NamedError) {
        return refuse(socket, error.status, error.message, refusalHeaders(error, request.headers));
      }
      onFault(error, `WebSocket ${door}`);
      refuse(socket, 500, 'Something broke inside Sluice while it answered.');
    });
}

/** Ends a WebSocket, whichever door it went to, with the reason; one that waits for its answer gets that. */
function putOut(socket: Duplex, reason: string, opened: boolean): void {
  if (opened) socket.end(closeFrame(POLICY_VIOLATION, reason));
  else refuse(socket, 403, reason);
  const timer = setTimeout(() => socket.destroy(), LINGER_MS).unref();
  socket.once('close', () => clearTimeout(timer));
}

function refuse(
  socket: Duplex,
  status: number,
  sentence: string,
  headers: Readonly<Record<string, string>> = {},
): void {
  const more = Object.entries(headers)
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join('');
  const body = Buffer.from(`${sentence}\n`);
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'Refused'}\r\nConnection: close\r\nContent-Type: text/plain; charset=utf-8\r\n` +
      `${more}Content-Length: ${body.length}\r\n\r\n${body.toString()}`,
  );
}
