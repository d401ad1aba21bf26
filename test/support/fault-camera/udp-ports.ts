import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import type { PortPair } from './publisher-core.ts';

/** Two UDP sockets on the loopback, for RTP and RTCP of one track. */
export class UdpPorts {
  readonly #rtp: Socket;
  readonly #rtcp: Socket;
  #open = true;

  /** Binds two free ports; they need not be neighbours. */
  static async open(): Promise<UdpPorts> {
    const ports = new UdpPorts(createSocket('udp4'), createSocket('udp4'));
    for (const socket of [ports.#rtp, ports.#rtcp]) {
      socket.bind(0, '127.0.0.1');
      await once(socket, 'listening');
    }
    return ports;
  }

  private constructor(rtp: Socket, rtcp: Socket) {
    this.#rtp = rtp;
    this.#rtcp = rtcp;
    for (const socket of [rtp, rtcp]) socket.on('error', () => {});
  }

  get numbers(): PortPair {
    return [this.#rtp.address().port, this.#rtcp.address().port];
  }

  send(kind: 'rtp' | 'rtcp', bytes: Buffer, port: number, host: string): void {
    if (this.#open) (kind === 'rtp' ? this.#rtp : this.#rtcp).send(bytes, port, host);
  }

  /** Calls for what comes back, such as receiver reports. */
  onRtcp(callback: (bytes: Buffer) => void): void {
    this.#rtcp.on('message', callback);
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#rtp.close();
    this.#rtcp.close();
  }
}
