import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import type { FaultCameraOptions } from './options.ts';
import { FaultServerCore } from './server-core.ts';
import { UdpPorts } from './udp-ports.ts';

export interface FaultServerOptions {
  /** The camera's faults; by connection, counted from 0, where they differ. */
  readonly camera: FaultCameraOptions | ((connection: number) => FaultCameraOptions);
  /** Default 0: a free one. */
  readonly port?: number;
  /** Offers UDP too; default false. */
  readonly udp?: boolean;
}

/** A faulty camera to pull from: an RTSP server over real sockets, in real time. */
export class FaultServer implements AsyncDisposable {
  /** One for each connection so far. */
  readonly cores: FaultServerCore[] = [];
  readonly #options: FaultServerOptions;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #connections = 0;

  static async listen(options: FaultServerOptions): Promise<FaultServer> {
    const camera = new FaultServer(options);
    camera.#server.listen(options.port ?? 0, '127.0.0.1');
    await once(camera.#server, 'listening');
    return camera;
  }

  private constructor(options: FaultServerOptions) {
    this.#options = options;
    this.#server = createServer({ noDelay: true }, (socket) => void this.#accept(socket));
  }

  get port(): number {
    const address = this.#server.address();
    return address !== null && typeof address === 'object' ? address.port : 0;
  }

  /** Address of the camera; `credentials` as `user:password`. */
  url(credentials = ''): string {
    return `rtsp://${credentials ? `${credentials}@` : ''}127.0.0.1:${this.port}/camera`;
  }

  /** Connections that stand now. */
  get open(): number {
    return this.#sockets.size;
  }

  /** Breaks all connections, and takes new ones. */
  reset(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    if (!this.#server.listening) return;
    this.#server.close();
    await once(this.#server, 'close');
  }

  async #accept(socket: Socket): Promise<void> {
    this.#sockets.add(socket);
    const { camera: which, udp } = this.#options;
    const number = this.#connections++;
    const faults = typeof which === 'function' ? which(number) : which;
    const early: Buffer[] = [];
    let receive = (bytes: Buffer) => void early.push(bytes);
    let timer: NodeJS.Timeout | undefined;
    let ports: UdpPorts[] = [];
    socket.on('error', () => {});
    socket.on('data', (bytes: Buffer) => receive(bytes));
    socket.on('close', () => {
      clearTimeout(timer);
      this.#sockets.delete(socket);
      for (const pair of ports) pair.close();
    });
    if (udp) ports = await Promise.all(faults.clip.tracks.map(() => UdpPorts.open()));
    if (socket.destroyed) for (const pair of ports) pair.close();
    const host = socket.remoteAddress ?? '127.0.0.1';
    const core: FaultServerCore = new FaultServerCore(
      { startedAt: performance.timeOrigin + performance.now(), ...faults },
      {
        send: (bytes) => void (socket.writable && socket.write(bytes)),
        sendPacket: (track, kind, bytes) => {
          const to = core.peerPorts[track];
          if (to) ports[track]?.send(kind, bytes, to[kind === 'rtp' ? 0 : 1], host);
        },
        reset: () => void socket.resetAndDestroy(),
        end: () => void socket.end(),
      },
      ports.map((pair) => pair.numbers),
    );
    this.cores.push(core);
    let began: number | undefined;
    const tick = () => {
      began ??= performance.now();
      const next = core.advance(performance.now() - began);
      if (next === undefined || socket.destroyed) return;
      timer = setTimeout(tick, Math.max(next - (performance.now() - began), 1));
    };
    receive = (bytes) => {
      try {
        core.receive(bytes);
      } catch {
        // The client does not speak RTSP.
        socket.destroy();
      }
      if (core.playing && began === undefined) tick();
    };
    core.start();
    for (const bytes of early) receive(bytes);
  }
}
