import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { WebSocket } from 'ws';
import { Hub } from '#hub/hub.ts';
import type { Publication } from '#hub/stream.ts';
import type { Track } from '#media/track.ts';
import { MseServer } from '#servers/mse/server.ts';
import { readSamples } from './fmp4-reader.ts';
import { picture } from './fmp4-units.ts';

type Json = Record<string, unknown> & { type: string };

/** A page at the MSE door: what it got, and a way to wait for more. */
export class MsePage {
  readonly socket: WebSocket;
  readonly messages: (Json | Buffer)[] = [];
  readonly closed: Promise<{ code: number; reason: string }>;
  #wake: () => void = () => {};

  constructor(url: string) {
    this.socket = new WebSocket(url);
    this.socket.on('message', (data: Buffer, binary) => {
      this.messages.push(binary ? data : (JSON.parse(String(data)) as Json));
      this.#wake();
    });
    // A refused handshake is an error first; `close` follows it.
    this.socket.on('error', () => {});
    this.closed = new Promise((resolve) => {
      this.socket.on('close', (code, reason) => resolve({ code, reason: String(reason) }));
    });
  }

  get texts(): Json[] {
    return this.messages.filter((message): message is Json => !Buffer.isBuffer(message));
  }

  get binaries(): Buffer[] {
    return this.messages.filter((message) => Buffer.isBuffer(message));
  }

  get fragments(): Buffer[] {
    return this.binaries.filter((bytes) => bytes.toString('latin1', 4, 8) === 'moof');
  }

  samples(trackId = 1) {
    return this.fragments
      .flatMap((bytes) => readSamples(bytes))
      .filter((sample) => sample.trackId === trackId);
  }

  async until(condition: (page: MsePage) => boolean): Promise<void> {
    while (!condition(this)) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  /** Waits for the first text message of a type. */
  async text(type: string, from = 0): Promise<Json> {
    const found = () => this.texts.slice(from).find((message) => message.type === type);
    await this.until(() => found() !== undefined);
    return found()!;
  }

  say(message: unknown): void {
    this.socket.send(JSON.stringify(message));
  }
}

/** A hub with an MSE door on a free port of loopback. */
export class MseDoor implements AsyncDisposable {
  readonly hub: Hub;
  readonly mse: MseServer;
  readonly #http: Server;
  readonly #pages: MsePage[] = [];

  private constructor(options: ConstructorParameters<typeof Hub>[0]) {
    this.hub = new Hub(options);
    this.mse = new MseServer({ hub: this.hub });
    this.#http = createServer();
    this.#http.on('upgrade', (request, socket, head) =>
      this.mse.handleUpgrade(request, socket, head, request.url!.replace(/\/mse$/, '')),
    );
  }

  static async listen(options: ConstructorParameters<typeof Hub>[0] = {}): Promise<MseDoor> {
    const door = new MseDoor(options);
    door.#http.listen(0, '127.0.0.1');
    await once(door.#http, 'listening');
    return door;
  }

  open(stream: string): MsePage {
    const { port } = this.#http.address() as AddressInfo;
    const page = new MsePage(`ws://127.0.0.1:${port}/${stream}/mse`);
    this.#pages.push(page);
    return page;
  }

  publish(stream: string, tracks: readonly Track[]): Publication {
    return this.hub.publish(stream, { id: 'p', door: 'test', remote: 'here' }, tracks, { onClose() {} });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const page of this.#pages) page.socket.terminate();
    this.hub.close('The test is over.');
    this.mse.close();
    this.#http.close();
    await once(this.#http, 'close');
  }
}

/** Writes pictures of 25 fps with a keyframe every `gop`. */
export function writePictures(
  publication: Publication,
  from: number,
  count: number,
  gop = 10,
  size = 100,
): void {
  for (let n = from; n < from + count; n++) {
    publication.write(picture(n * 3600, { keyframe: n % gop === 0, size }));
  }
}
