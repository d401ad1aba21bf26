import type { Socket } from 'node:net';
import { Base64Decoder, tunnelRefusal } from '#protocols/rtsp/http-tunnel.ts';
import { messageOf } from '#util/named-error.ts';
import { plainAddress } from './udp-ports.ts';

/** The half of a tunnel that leads to the client. */
export interface TunnelExit {
  /** Of the client: its other half has to come from there too. */
  readonly address: string;
  /** Takes what the client says. */
  receive(bytes: Buffer): void;
  /** Ends the tunnel. */
  close(reason: string): void;
}

interface Tunnel {
  readonly exit: TunnelExit;
  post: Socket | undefined;
}

/**
 * Brings the halves of RTSP tunnels through HTTP together. Each tunnel belongs to the connection of its GET, whose
 * limits bound how many there are; it has one POST at a time, since some clients end theirs and begin another.
 */
export class HttpTunnels {
  readonly #tunnels = new Map<string, Tunnel>();

  /** A GET came. False when its cookie is another tunnel's. */
  open(cookie: string, exit: TunnelExit): boolean {
    if (this.#tunnels.has(cookie)) return false;
    this.#tunnels.set(cookie, { exit, post: undefined });
    return true;
  }

  /** The connection of the GET is gone. */
  leave(cookie: string): void {
    this.#tunnels.get(cookie)?.post?.destroy();
    this.#tunnels.delete(cookie);
  }

  /** A POST came, and `body` with it. The socket has no listeners any more and is ours now. */
  post(cookie: string, socket: Socket, body: Buffer): void {
    socket.on('error', () => {});
    const tunnel = this.#tunnels.get(cookie);
    if (!tunnel || tunnel.exit.address !== plainAddress(socket.remoteAddress ?? '')) {
      socket.end(tunnelRefusal('404 Not Found'), () => socket.destroy());
      return;
    }
    tunnel.post?.destroy();
    tunnel.post = socket;
    const decoder = new Base64Decoder();
    const take = (bytes: Buffer) => {
      if (tunnel.post !== socket) return;
      try {
        tunnel.exit.receive(decoder.push(bytes));
      } catch (error) {
        tunnel.exit.close(messageOf(error));
      }
    };
    socket.on('data', take);
    socket.on('end', () => socket.destroy());
    take(body);
  }
}
