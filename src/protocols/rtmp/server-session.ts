import { type AmfObject, type AmfValue, isAmfObject } from '#util/amf-value.ts';
import { messageOf, NamedError } from '#util/named-error.ts';
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
import { MessageReceiver, WINDOW } from './message-receiver.ts';
import { type StreamRequest, streamRequest } from './stream-address.ts';

/** The message stream of a connection: there is one. */
export const MESSAGE_STREAM = 1;
/** Messages that may wait while a command is being answered; the application holds the connection meanwhile. */
const MAX_WAITING = 1024;
/** What Enhanced RTMP calls passing a codec on without decoding it (`FourCcInfoMask`). */
const CAN_FORWARD = 4;

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
  /** FourCCs of Enhanced RTMP that are understood, for clients that say theirs. */
  readonly fourCcs: readonly string[];
}

type State = 'idle' | 'publishing' | 'playing' | 'closed';

/** The server's side of one RTMP connection: bytes in, events and bytes out. */
export class RtmpServerSession {
  readonly #handlers: RtmpServerHandlers;
  readonly #receiver: MessageReceiver;
  #handshake: ServerHandshake | undefined;
  #state: State = 'idle';
  #app: string | undefined;
  #busy = false;
  #waiting: (() => void)[] = [];

  constructor(handlers: RtmpServerHandlers) {
    this.#handlers = handlers;
    this.#handshake = new ServerHandshake((size) => handlers.random(size));
    this.#receiver = new MessageReceiver({
      send: (bytes) => handlers.send(bytes),
      command: (values) => this.#inTurn(() => this.#command(values)),
      media: (message) =>
        this.#inTurn(() => {
          if (this.#state === 'publishing') handlers.media(message);
        }),
    });
  }

  get state(): State {
    return this.#state;
  }

  receive(bytes: Buffer): void {
    if (this.#state === 'closed') return;
    try {
      const rest = this.#handshake ? this.#shakeHands(bytes) : bytes;
      if (rest) this.#receiver.receive(rest);
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

  /** Does now, or after the command that is being answered, what a message wants. */
  #inTurn(handle: () => void): void {
    if (this.#state === 'closed') return;
    if (!this.#busy) return handle();
    this.#waiting.push(handle);
    if (this.#waiting.length > MAX_WAITING)
      this.end('The client did not wait for the answer to its command.');
  }

  #command(values: readonly AmfValue[]): void {
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
      case 'FCPublish':
        this.#result(id, null, undefined);
        return this.#notify('onFCPublish', 'NetStream.Publish.Start', rest[0]);
      case 'FCUnpublish':
        this.#result(id, null, undefined);
        this.#notify('onFCUnpublish', 'NetStream.Unpublish.Success', rest[0]);
        return this.#stop();
      case 'closeStream':
      case 'deleteStream':
        return this.#stop();
      case 'releaseStream':
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

  #connect(id: number, object: AmfValue): void {
    const about = isAmfObject(object) ? object : {};
    const { app, objectEncoding } = about;
    this.#app = typeof app === 'string' ? app : '';
    const { send } = this.#handlers;
    send(controlMessage(MessageType.windowSize, WINDOW));
    send(controlMessage(MessageType.peerBandwidth, WINDOW, 2));
    send(controlMessage(MessageType.setChunkSize, SENT_CHUNK_SIZE));
    this.#result(
      id,
      { fmsVer: 'FMS/3,0,1,123', capabilities: 31, ...this.#enhanced(about) },
      {
        level: 'status',
        code: 'NetConnection.Connect.Success',
        description: 'Connected.',
        // 3 lets it send messages of AMF 3; what we send it in AMF 0 it has to take either way.
        objectEncoding: objectEncoding === 3 ? 3 : 0,
      },
    );
  }

  /** Clients that say what they know of Enhanced RTMP are told in the same words ("Enhancing NetConnection connect"). */
  #enhanced(about: AmfObject): AmfObject {
    const { fourCcs } = this.#handlers;
    const can = Object.fromEntries(fourCcs.map((fourCc) => [fourCc, CAN_FORWARD]));
    return {
      ...('fourCcList' in about && { fourCcList: [...fourCcs] }),
      ...('videoFourCcInfoMap' in about && { videoFourCcInfoMap: can }),
      ...('audioFourCcInfoMap' in about && { audioFourCcInfoMap: can }),
      // Neither reconnecting, nor several tracks, nor modifiers that would have to be heeded.
      ...('capsEx' in about && { capsEx: 0 }),
    };
  }

  #publish(path: AmfValue): void {
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

  #play(path: AmfValue): void {
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
  #request(path: AmfValue): StreamRequest | undefined {
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
      for (const handle of this.#waiting.splice(0)) this.#inTurn(handle);
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

  #result(id: number, ...values: readonly AmfValue[]): void {
    this.#handlers.send(commandMessage(0, '_result', id, ...values));
  }

  /** What encoders in the manner of Adobe's wait for beside the answer. */
  #notify(name: string, code: string, path: AmfValue): void {
    const description = typeof path === 'string' ? (path.split('?')[0] ?? '') : '';
    this.#handlers.send(commandMessage(0, name, 0, null, { code, description }));
  }

  #status(code: string, description: string, level: 'status' | 'error' = 'status'): void {
    const info: AmfObject = { level, code, description };
    this.#handlers.send(commandMessage(MESSAGE_STREAM, 'onStatus', 0, null, info));
  }
}
