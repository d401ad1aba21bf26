import { randomBytes, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';
import type { Hub } from '#hub/hub.ts';
import { Emitter } from '#util/emitter.ts';
import { LinkConnection } from './connection.ts';
import type { Accepts, LinkServerEvents } from './events.ts';

/** An access unit of a 4K intra picture fits many times over; anything larger is a broken or hostile peer. */
const MAX_MESSAGE_BYTES = 64 << 20;

/** The hub's end of the link: workers connect here, take tasks, read streams and publish. */
export class LinkServer {
  readonly events = new Emitter<LinkServerEvents>();
  /** What a worker must show in its address; new with every start of the server. */
  readonly token = randomBytes(24).toString('base64url');
  readonly #hub: Hub;
  readonly #sockets = new WebSocketServer({
    noServer: true,
    perMessageDeflate: false,
    maxPayload: MAX_MESSAGE_BYTES,
  });
  readonly #connections = new Set<LinkConnection>();
  readonly #accepts: Accepts;

  constructor(options: { hub: Hub; accepts: Accepts }) {
    this.#hub = options.hub;
    this.#accepts = options.accepts;
  }

  /** Takes over a WebSocket upgrade of `/api/link?token=…`; a wrong token is refused with 401. */
  handleUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const given = Buffer.from(new URL(request.url ?? '/', 'http://link').searchParams.get('token') ?? '');
    const wanted = Buffer.from(this.token);
    if (given.length !== wanted.length || !timingSafeEqual(given, wanted)) {
      socket.end('HTTP/1.1 401 Unauthorized\r\nConnection: close\r\n\r\n');
      return;
    }
    this.#sockets.handleUpgrade(request, socket, head, (ws) => this.#connect(ws, socket as Socket));
  }

  close(): void {
    for (const connection of [...this.#connections]) connection.close('The server stops.');
    this.#sockets.close();
  }

  #connect(ws: WebSocket, socket: Socket): void {
    const connection = new LinkConnection(ws, socket, this.#hub, this.events, this.#accepts);
    this.#connections.add(connection);
    ws.on('close', () => this.#connections.delete(connection));
  }
}
