import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import type { FaultCameraOptions } from './options.ts';
import { FaultPublisherCore, type PortPair } from './publisher-core.ts';
import { UdpPorts } from './udp-ports.ts';

export interface FaultPublisherOptions {
  readonly url: string;
  readonly camera: FaultCameraOptions;
  /** Default `tcp`: inside the connection. */
  readonly transport?: 'tcp' | 'udp';
}

/** A faulty camera that publishes to an RTSP server over real sockets, in real time. */
export class FaultPublisher implements AsyncDisposable {
  readonly core: FaultPublisherCore;
  readonly #socket: Socket;
  readonly #ports: readonly UdpPorts[];
  readonly #closed: Promise<void>;
  readonly #recording = Promise.withResolvers<void>();
  #timer: NodeJS.Timeout | undefined;
  #began = 0;

  /** Connects and publishes; resolves when the server answered RECORD. Rejects when it refused. */
  static async start(options: FaultPublisherOptions): Promise<FaultPublisher> {
    const { hostname, port } = new URL(options.url);
    const count = options.transport === 'udp' ? options.camera.clip.tracks.length : 0;
    const ports = await Promise.all(Array.from({ length: count }, () => UdpPorts.open()));
    const socket = connect(Number(port || 554), hostname);
    await once(socket, 'connect');
    const publisher = new FaultPublisher(options, socket, ports, hostname);
    await publisher.#recording.promise;
    return publisher;
  }

  private constructor(
    options: FaultPublisherOptions,
    socket: Socket,
    ports: readonly UdpPorts[],
    host: string,
  ) {
    this.#socket = socket;
    this.#ports = ports;
    socket.setNoDelay(true);
    const pairs: PortPair[] = ports.map((pair) => pair.numbers);
    // The wall clock of the camera is ours, unless it is to be another.
    const camera = { startedAt: performance.timeOrigin + performance.now(), ...options.camera };
    this.core = new FaultPublisherCore(
      { url: options.url, camera, ...(pairs.length > 0 && { ports: pairs }) },
      {
        send: (bytes) => void (socket.writable && socket.write(bytes)),
        sendPacket: (track, kind, bytes) => {
          const to = this.core.peerPorts[track];
          if (to) ports[track]?.send(kind, bytes, to[kind === 'rtp' ? 0 : 1], host);
        },
        reset: () => void socket.resetAndDestroy(),
        end: () => void socket.end(),
      },
    );
    this.#closed = new Promise((resolve) => {
      socket.on('close', () => {
        clearTimeout(this.#timer);
        for (const pair of ports) pair.close();
        const { refused } = this.core;
        const why = refused
          ? `${refused.method} was answered ${refused.status}`
          : 'the connection was closed';
        this.#recording.reject(new Error(`The camera could not publish: ${why}.`));
        resolve();
      });
    });
    this.#recording.promise.catch(() => {});
    socket.on('error', () => {});
    socket.on('data', (bytes: Buffer) => {
      this.core.receive(bytes);
      if (!this.core.recording || this.#began > 0) return;
      this.#began = performance.now();
      this.#recording.resolve();
      this.#tick();
    });
    this.core.start();
  }

  /** Resolves when the connection is closed, by whomever. */
  get closed(): Promise<void> {
    return this.#closed;
  }

  /** Stops sending and breaks the connection, as when the power fails. */
  async kill(): Promise<void> {
    this.#socket.resetAndDestroy();
    await this.#closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#socket.destroy();
    await this.#closed;
    for (const pair of this.#ports) pair.close();
  }

  #tick(): void {
    const now = performance.now() - this.#began;
    const next = this.core.advance(now);
    if (next === undefined || this.#socket.destroyed) return;
    this.#timer = setTimeout(() => this.#tick(), Math.max(next - (performance.now() - this.#began), 1));
  }
}
