import type { Server } from 'node:http';
import { MAX_CONNECTIONS } from '#api/http-limits.ts';
import { TlsDoor } from '#util/tls-door.ts';
import type { Logger } from './logger.ts';

/**
 * The port of HTTPS: behind the handshake stands the HTTP server itself, with its routes, WebSockets, limits and the
 * tunnels of RTSP. Whoever answers sees by the socket that it is encrypted.
 */
export function httpsDoor(http: Server, log: Logger): TlsDoor {
  return new TlsDoor({
    name: 'HTTPS',
    setting: 'http.tlsPort',
    log,
    maxConnections: MAX_CONNECTIONS,
    // Browsers would like HTTP/2, and are told that it is not this.
    protocols: ['http/1.1'],
    accept: (socket) => http.emit('connection', socket),
  });
}
