import { type Amf0Object, type Amf0Value, parseAmf0 } from '#util/amf0.ts';
import { messageOf, NamedError } from '#util/named-error.ts';
import { ChunkReader } from './chunk-reader.ts';
import { ServerHandshake } from './handshake.ts';
import {
  commandMessage,
  controlMessage,
  MessageType,
  type RtmpMessage,
  SENT_CHUNK_SIZE,
  UserControl,
  userControlMessage,
} from './message.ts';
import { type StreamRequest, streamRequest } from './stream-address.ts';

/** Bytes after which the client is to say that it got them, and what it may have under way. */
const WINDOW = 2_500_000;
/** The message stream of a connection: there is one. */
export const MESSAGE_STREAM = 1;
/** Messages that may wait while a command is being answered; the application holds the connection meanwhile. */
const MAX_WAITING = 1024;

/** What the session asks of the door, and tells it. */
export interface RtmpServerHandlers {
  send(bytes: Buffer): void;
  /** Begins to publish; resolves when it may. @throws NamedError why not */
  publish(request: StreamRequest): Promise<void>;
  /** Finds the stream; what it resolves to is called when the client has been told that media begin. */
  play(request: StreamRequest): Promise<() => void>;
  /** Audio, video or data of the publisher. */
  media(message: RtmpMessage): void;
  /** The client ends publishing or playing. */
  stop(reason: string): void;
  /** The connection is to be closed when everything was sent. */
  close(reason: string): void;
  /** While a command is being answered, no more bytes are wanted. */
  hold(held: boolean): void;
  random(size: number): Buffer;
}

type State = 'idle' | 'publishing' | 'playing' | 'closed';

/** The server's side of one RTMP connection: bytes in, events and bytes out. */
export class RtmpServerSession {
  readonly #handlers: RtmpServerHandlers;
  readonly #chunks = new ChunkReader();
  #handshake: ServerHandshake | undefined;
  #state: State = 'idle';
  #app: string | undefined;
  /** Bytes received, and how many of them the client knows of; it wants to know after each window. */
  #received = 0;
  #acknowledged = 0;
  #window = WINDOW;
  #busy = false;
  #waiting: RtmpMessage[] = [];

  constructor(handlers: RtmpServerHandlers) {
    this.#handlers = handlers;
    this.#handshake = new ServerHandshake((size) => handlers.random(size));
  }

  get state(): State {
    return this.#state;
  }

  receive(bytes: Buffer): void {
    if (this.#state === 'closed') return;
    try {
      this.#received += bytes.length;
      const rest = this.#handshake ? this.#shakeHands(bytes) : bytes;
      if (!rest) return;
      this.#chunks.push(rest);
      for (let message = this.#chunks.next(); message; message = this.#chunks.next()) this.#take(message);
      if (this.#received - this.#acknowledged >= this.#window) {
        this.#acknowledged = this.#received;
        this.#handlers.send(controlMessage(MessageType.acknowledgement, this.#received));
      }
    } catch (error) {
      if (!(error instanceof NamedError)) throw error;
      this.end(error.message);
    }
  }

  /** Tells the client why, where it publishes or plays, and ends the session. Idempotent. */
  end(reason: string, code?: string): void {
    if (this.#state === 'closed') return;
    const state = this.#state;
    this.#state = 'closed';
    this.#waiting = [];
    if (state === 'playing') {
      this.#handlers.send(userControlMessage(UserControl.streamEof, MESSAGE_STREAM));
      this.#status(code ?? 'NetStream.Play.UnpublishNotify', reason);
    } else if (state === 'publishing') this.#status(code ?? 'NetStream.Publish.BadName', reason, 'error');
    this.#handlers.close(reason);
  }

  #shakeHands(bytes: Buffer): Buffer | undefined {
    const { send, rest } = this.#handshake!.receive(bytes);
    if (send) this.#handlers.send(send);
    if (rest) this.#handshake = undefined;
    return rest;
  }

  #take(message: RtmpMessage): void {
    if (this.#state === 'closed') return;
    if (!this.#busy) return this.#handle(message);
    this.#waiting.push(message);
    if (this.#waiting.length > MAX_WAITING)
      this.end('The client did not wait for the answer to its command.');
  }

  #handle(message: RtmpMessage): void {
    const { type, payload } = message;
    switch (type) {
      case MessageType.command:
        return this.#command(parseAmf0(payload));
      case MessageType.commandAmf3:
        // A byte that says "AMF 0" stands in front of what is AMF 0 all the same.
        return this.#command(parseAmf0(payload.subarray(1)));
      case MessageType.audio:
      case MessageType.video:
      case MessageType.data:
        if (this.#state === 'publishing') this.#handlers.media(message);
        return;
      case MessageType.dataAmf3:
        if (this.#state !== 'publishing') return;
        return this.#handlers.media({ ...message, type: MessageType.data, payload: payload.subarray(1) });
      case MessageType.windowSize:
        if (payload.length >= 4) this.#window = Math.max(payload.readUInt32BE(0), 1024);
        return;
      case MessageType.userControl:
        if (payload.length >= 6 && payload.readUInt16BE(0) === UserControl.pingRequest) {
          this.#handlers.send(userControlMessage(UserControl.pingResponse, payload.readUInt32BE(2)));
        }
        return;
      default:
    }
  }

  #command(values: readonly Amf0Value[]): void {
    const [name, transaction, object, ...rest] = values;
    const id = typeof transaction === 'number' ? transaction : 0;
    switch (name) {
      case 'connect':
        return this.#connect(id, object);
      case 'createStream':
        return this.#result(id, null, MESSAGE_STREAM);
      case 'getStreamLength':
        return this.#result(id, null, 0);
      case 'publish':
        return this.#publish(rest[0]);
      case 'play':
        return this.#play(rest[0]);
      case 'FCUnpublish':
      case 'closeStream':
      case 'deleteStream':
        return this.#stop();
      case 'releaseStream':
      case 'FCPublish':
      case 'FCSubscribe':
      case '_checkbw':
        return this.#result(id, null, undefined);
      default:
        // pause, seek, receiveAudio …: a live stream goes on. A client that waits for an answer gets one.
        if (id > 0 && typeof name === 'string' && name !== '_result' && name !== '_error') {
          this.#result(id, null, undefined);
        }
    }
  }

  #connect(id: number, object: Amf0Value): void {
    const { app, objectEncoding } = isObject(object) ? object : {};
    this.#app = typeof app === 'string' ? app : '';
    const { send } = this.#handlers;
    send(controlMessage(MessageType.windowSize, WINDOW));
    send(controlMessage(MessageType.peerBandwidth, WINDOW, 2));
    send(controlMessage(MessageType.setChunkSize, SENT_CHUNK_SIZE));
    this.#result(
      id,
      { fmsVer: 'FMS/3,0,1,123', capabilities: 31 },
      {
        level: 'status',
        code: 'NetConnection.Connect.Success',
        description: 'Connected.',
        objectEncoding: typeof objectEncoding === 'number' ? objectEncoding : 0,
      },
    );
  }

  #publish(path: Amf0Value): void {
    const request = this.#request(path);
    if (!request) return;
    void this.#answer('NetStream.Publish.BadName', async () => {
      await this.#handlers.publish(request);
      return () => {
        this.#state = 'publishing';
        this.#status('NetStream.Publish.Start', `"${request.name}" is being published.`);
      };
    });
  }

  #play(path: Amf0Value): void {
    const request = this.#request(path);
    if (!request) return;
    void this.#answer('NetStream.Play.StreamNotFound', async () => {
      const start = await this.#handlers.play(request);
      return () => {
        this.#state = 'playing';
        this.#handlers.send(userControlMessage(UserControl.streamBegin, MESSAGE_STREAM));
        this.#status('NetStream.Play.Reset', `"${request.name}" is played from here on.`);
        this.#status('NetStream.Play.Start', `"${request.name}" begins.`);
        start();
      };
    });
  }

  /** What is asked for; undefined, and the end, for one who asks out of turn. */
  #request(path: Amf0Value): StreamRequest | undefined {
    if (this.#app !== undefined && this.#state === 'idle') {
      return streamRequest(this.#app, typeof path === 'string' ? path : '');
    }
    this.end(
      this.#app === undefined
        ? 'A stream was asked for before "connect".'
        : 'This connection has a stream already: open another one for each stream.',
    );
    return undefined;
  }

  /** Waits for what the door says to a command; messages that come meanwhile are answered after it. */
  async #answer(refusal: string, ask: () => Promise<() => void>): Promise<void> {
    this.#busy = true;
    this.#handlers.hold(true);
    try {
      const go = await ask();
      if (this.#state !== 'closed') go();
      this.#busy = false;
      for (const message of this.#waiting.splice(0)) this.#take(message);
    } catch (error) {
      this.#busy = false;
      if (this.#state !== 'closed') this.#status(refusal, messageOf(error), 'error');
      this.end(messageOf(error));
    } finally {
      this.#handlers.hold(false);
    }
  }

  #stop(): void {
    if (this.#state !== 'publishing' && this.#state !== 'playing') return;
    this.#state = 'idle';
    this.#handlers.stop('The client ended it.');
  }

  #result(id: number, ...values: readonly Amf0Value[]): void {
    this.#handlers.send(commandMessage(0, '_result', id, ...values));
  }

  #status(code: string, description: string, level: 'status' | 'error' = 'status'): void {
    const info: Amf0Object = { level, code, description };
    this.#handlers.send(commandMessage(MESSAGE_STREAM, 'onStatus', 0, null, info));
  }
}

function isObject(value: Amf0Value): value is Amf0Object {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date);
}
