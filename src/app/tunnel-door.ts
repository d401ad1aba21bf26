import type { IncomingHttpHeaders, Server } from 'node:http';
import type { Socket } from 'node:net';
import { TunnelGreeting, tunnelRefusal } from '#protocols/rtsp/http-tunnel.ts';
import type { Clock } from '#util/clock.ts';

/** As long as the HTTP server itself waits for the head of a request. */
const HEAD_MS = 10_000;

/** What the HTTP server says then. */
const LATE = 'HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n\r\n';

export interface TunnelDoor {
  readonly clock: Clock;
  /** Takes a connection whose first bytes are those of a tunnel; they are still to be read from it. */
  readonly accept: (socket: Socket) => void;
  /** Why a request must not be taken: it may come from a page of somebody else. */
  readonly refusal: (headers: IncomingHttpHeaders) => Error | undefined;
}

/**
 * Lets RTSP inside HTTP in at the HTTP port: players use it where only that port gets through. Its POST never ends, and
 * its GET is answered with what is no HTTP, so such connections are taken out before the HTTP server sees them; all
 * others go on to it as they are.
 * @returns ends the connections that have not said yet what they are
 */
export function letTunnelsIn(server: Server, { clock, accept, refusal }: TunnelDoor): () => void {
  const waiting = new Set<Socket>();
  const http = server.listeners('connection') as ((this: Server, socket: Socket) => void)[];
  server.removeAllListeners('connection');
  server.on('connection', (socket: Socket) => {
    const greeting = new TunnelGreeting();
    const chunks: Buffer[] = [];
    const destroy = () => socket.destroy();
    const cancel = clock.after(HEAD_MS, () => socket.end(LATE, destroy));
    const forget = () => {
      cancel();
      waiting.delete(socket);
    };
    const leave = () => {
      forget();
      socket.off('data', take);
      socket.off('error', destroy);
      socket.off('close', forget);
    };
    const take = (bytes: Buffer) => {
      chunks.push(bytes);
      const heard = greeting.push(bytes);
      if (heard.kind === 'more') return;
      leave();
      if (heard.kind !== 'rtsp' && refusal({ ...heard.headers })) {
        socket.on('error', destroy);
        socket.end(tunnelRefusal('403 Forbidden'), destroy);
        return;
      }
      // Whoever takes the connection reads it from its beginning.
      socket.pause();
      socket.unshift(Buffer.concat(chunks));
      if (heard.kind === 'rtsp') for (const listener of http) listener.call(server, socket);
      else accept(socket);
      socket.resume();
    };
    socket.on('data', take);
    socket.on('error', destroy);
    socket.on('close', forget);
    waiting.add(socket);
  });
  return () => {
    for (const socket of waiting) socket.destroy();
  };
}
