import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { Hub, type HubOptions } from '#hub/hub.ts';
import type { Stream } from '#hub/stream.ts';
import { RtspHeaders } from '#protocols/rtsp/headers.ts';
import { type InterleavedFrame, type RtspResponse, serializeRequest } from '#protocols/rtsp/message.ts';
import { RtspParser } from '#protocols/rtsp/parser.ts';
import { type RtspMedia, RtspServer } from '#servers/rtsp/server.ts';
import { type RunningProgram, start } from './process.ts';

/** A hub with an RTSP door on a free port; readers are let go as soon as their publisher is gone. */
export async function startRtsp(
  options: { hub?: Partial<HubOptions>; sessionTimeoutMs?: number; media?: RtspMedia; port?: number } = {},
) {
  const hub = new Hub({ holdMs: 0, ...options.hub });
  const notes: string[] = [];
  const warnings: string[] = [];
  const note = (message: string) => void notes.push(message);
  const warn = (message: string) => {
    note(message);
    warnings.push(message);
  };
  const server = new RtspServer({
    hub,
    host: '127.0.0.1',
    port: options.port ?? 0,
    log: { info: note, warn, debug: note },
    ...(options.media && { media: options.media }),
    ...(options.sessionTimeoutMs !== undefined && { sessionTimeoutMs: options.sessionTimeoutMs }),
  });
  const { port } = await server.listen();
  return {
    hub,
    server,
    port,
    /** What the server told its log. */
    notes,
    /** Of these, the warnings. */
    warnings,
    url: (name: string) => `rtsp://127.0.0.1:${port}/${name}`,
    async [Symbol.asyncDispose]() {
      hub.close('The test is over.');
      await server.close();
    },
  };
}

/** Publishes a file by ffmpeg, at real-time pace, the encoded media as they are. */
export function publish(
  path: string,
  url: string,
  loops = 0,
  transport: 'tcp' | 'udp' = 'tcp',
): RunningProgram {
  return start('ffmpeg', [
    ...['-v', 'error', '-re', '-stream_loop', String(loops), '-i', path],
    ...['-c', 'copy', '-f', 'rtsp', '-rtsp_transport', transport, url],
  ]);
}

/** The stream of that name, as soon as it is published. */
export function published(hub: Hub, name: string): Promise<Stream> {
  const stream = hub.get(name);
  if (stream) return Promise.resolve(stream);
  return new Promise((resolve) => {
    const off = hub.events.on('streamAdded', (added) => {
      if (added.name !== name) return;
      off();
      resolve(added);
    });
  });
}

/** A client that says what the test wants and shows what the server sends. */
export class RawClient implements AsyncDisposable {
  readonly socket: Socket;
  readonly frames: InterleavedFrame[] = [];
  readonly #parser = new RtspParser();
  readonly #responses: RtspResponse[] = [];
  #changed = Promise.withResolvers<void>();
  #cseq = 0;
  #closed = false;

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', (bytes) => {
      this.#parser.push(bytes);
      for (let message = this.#parser.next(); message; message = this.#parser.next()) {
        if (message.kind === 'interleaved') this.frames.push(message);
        else if (message.kind === 'response') this.#responses.push(message);
      }
      this.#signal();
    });
    socket.on('error', () => {});
    socket.on('close', () => {
      this.#closed = true;
      this.#signal();
    });
  }

  static async connect(port: number): Promise<RawClient> {
    const socket = connect(port, '127.0.0.1');
    await once(socket, 'connect');
    return new RawClient(socket);
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Sends a request and gives its response. */
  async ask(
    method: string,
    uri: string,
    headers: Record<string, string> = {},
    body = '',
  ): Promise<RtspResponse> {
    const all = RtspHeaders.from([['CSeq', String(++this.#cseq)], ...Object.entries(headers)]);
    this.socket.write(serializeRequest(method, uri, all, Buffer.from(body)));
    await this.until(() => this.#responses.length > 0);
    const response = this.#responses.shift();
    if (!response) throw new Error(`The connection was closed before ${method} was answered.`);
    return response;
  }

  /** Resolves when the condition holds, looked at whenever bytes came, or when the connection is closed. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition() && !this.#closed) await this.#changed.promise;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.socket.destroy();
    await this.until(() => this.#closed);
  }

  #signal(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers<void>();
  }
}
