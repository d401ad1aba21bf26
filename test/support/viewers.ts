import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { WebSocket } from 'ws';
import { RtspHeaders } from '#protocols/rtsp/headers.ts';
import { type RtspResponse, serializeRequest } from '#protocols/rtsp/message.ts';
import { RtspParser } from '#protocols/rtsp/parser.ts';
import { readSamples } from './fmp4-reader.ts';

/** A reader of a stream that throws the media away and keeps count; light enough for hundreds. */
export interface Viewer extends AsyncDisposable {
  /** Access units of the picture that came, in order, each by its 90 kHz timestamp. */
  readonly pictures: readonly number[];
  /** For each picture, whether it can be decoded without those before it. */
  readonly keyframes: readonly boolean[];
  readonly bytes: number;
  readonly closed: boolean;
  /** What the server said when it closed; empty when it said nothing. */
  readonly reason: string;
  /** Stops reading from the socket; the system's buffers fill. */
  stall(): void;
  resume(): void;
}

/** RTP timestamps are unwrapped against the one before, so that both doors give the same kind of number. */
function unwrap(timestamp: number, before: number | undefined): number {
  return before === undefined ? timestamp : before + ((timestamp - before) | 0);
}

/** Reads a stream with picture and sound, or picture alone, over RTSP interleaved. Tracks are set up by their ids. */
export class RtspViewer implements Viewer {
  readonly pictures: number[] = [];
  readonly keyframes: boolean[] = [];
  /** Packets whose sequence number did not follow the one before, on the channel of the picture. */
  gaps = 0;
  bytes = 0;
  closed = false;
  readonly reason = '';
  readonly #socket: Socket;
  readonly #parser = new RtspParser();
  #answer = Promise.withResolvers<RtspResponse>();
  #cseq = 0;
  #sequence: number | undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (bytes) => this.#receive(bytes));
    socket.on('error', () => {});
    socket.on('close', () => {
      this.closed = true;
      this.#answer.reject(new Error('The connection was closed.'));
      this.#answer.promise.catch(() => {});
    });
  }

  static async open(url: string): Promise<RtspViewer> {
    const { port, hostname } = new URL(url);
    const socket = connect(Number(port), hostname);
    await once(socket, 'connect');
    const viewer = new RtspViewer(socket);
    try {
      await viewer.#play(url);
    } catch (error) {
      socket.destroy();
      throw error;
    }
    return viewer;
  }

  stall(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#socket.resume();
    this.#socket.destroy();
    if (!this.closed) await once(this.#socket, 'close');
  }

  async #play(url: string): Promise<void> {
    const { body } = await this.#ask('DESCRIBE', url);
    const tracks = [...body.toString().matchAll(/^a=control:.*?(trackID=\d+)/gm)].map((match) => match[1]!);
    let session: Record<string, string> = {};
    for (const [index, track] of tracks.entries()) {
      const transport = `RTP/AVP/TCP;unicast;interleaved=${2 * index}-${2 * index + 1}`;
      const { headers } = await this.#ask('SETUP', `${url}/${track}`, { Transport: transport, ...session });
      session = { Session: (headers.get('session') ?? '').split(';')[0]! };
    }
    await this.#ask('PLAY', url, session);
  }

  async #ask(method: string, uri: string, more: Record<string, string> = {}): Promise<RtspResponse> {
    this.#answer = Promise.withResolvers<RtspResponse>();
    const headers = RtspHeaders.from([['CSeq', String(++this.#cseq)], ...Object.entries(more)]);
    this.#socket.write(serializeRequest(method, uri, headers));
    const response = await this.#answer.promise;
    if (response.status !== 200) throw new Error(`${method}: ${response.status} ${response.reason}`);
    return response;
  }

  #receive(bytes: Buffer): void {
    this.bytes += bytes.length;
    this.#parser.push(bytes);
    for (let message = this.#parser.next(); message; message = this.#parser.next()) {
      if (message.kind === 'response') this.#answer.resolve(message);
      else if (message.kind === 'interleaved' && message.channel === 0) this.#packet(message.payload);
    }
  }

  #packet(packet: Buffer): void {
    const sequence = packet.readUInt16BE(2);
    if (this.#sequence !== undefined && sequence !== ((this.#sequence + 1) & 0xffff)) this.gaps++;
    this.#sequence = sequence;
    const pts = unwrap(packet.readUInt32BE(4), this.pictures.at(-1));
    if (pts !== this.pictures.at(-1)) {
      this.pictures.push(pts);
      this.keyframes.push(false);
    }
    if (startsKeyframe(packet.subarray(12))) this.keyframes[this.keyframes.length - 1] = true;
  }
}

/** True when an H.264 payload (RFC 6184) begins with, or is a fragment of, a slice of an IDR picture. */
function startsKeyframe(payload: Buffer): boolean {
  const type = payload[0]! & 0x1f;
  if (type === 28) return (payload[1]! & 0x1f) === 5;
  if (type !== 24) return type === 5;
  for (let at = 1; at + 2 < payload.length; at += 2 + payload.readUInt16BE(at)) {
    if ((payload[at + 2]! & 0x1f) === 5) return true;
  }
  return false;
}

/** Reads a stream over the MSE door. */
export class MseViewer implements Viewer {
  readonly pictures: number[] = [];
  readonly keyframes: boolean[] = [];
  readonly drops = { video: 0, audio: 0 };
  /** Types of the media that the server announced, one for each `stream` message. */
  readonly types: string[] = [];
  /** Why tracks were left out, as the last `stream` message has it. */
  unsupported: readonly string[] = [];
  bytes = 0;
  closed = false;
  reason = '';
  readonly #socket: WebSocket;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.on('message', (data: Buffer, binary) => {
      this.bytes += data.length;
      if (!binary) return this.#text(data.toString());
      if (data.toString('latin1', 4, 8) !== 'moof') return;
      for (const { trackId, pts, sync } of readSamples(data)) {
        if (trackId !== 1) continue;
        this.pictures.push(pts);
        this.keyframes.push(sync);
      }
    });
    socket.on('error', () => {});
    socket.on('close', (_code, reason) => {
      this.closed = true;
      this.reason = reason.toString();
    });
  }

  /** @param url `ws://host:port/<stream>/mse` */
  static async open(url: string): Promise<MseViewer> {
    const socket = new WebSocket(url, { perMessageDeflate: false });
    const viewer = new MseViewer(socket);
    await once(socket, 'open');
    return viewer;
  }

  stall(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#socket.resume();
    this.#socket.terminate();
    if (!this.closed) await once(this.#socket, 'close');
  }

  #text(text: string): void {
    const message = JSON.parse(text) as {
      readonly type: string;
      readonly video: number;
      readonly audio: number;
      readonly mime: string;
      readonly unsupported?: readonly { readonly reason: string }[];
    };
    if (message.type === 'stream') {
      this.types.push(message.mime);
      this.unsupported = (message.unsupported ?? []).map(({ reason }) => reason);
    }
    if (message.type === 'drops') Object.assign(this.drops, { video: message.video, audio: message.audio });
  }
}
