import type { AmfObject, AmfValue } from '#util/amf-value.ts';
import type { Clock } from '#util/clock.ts';
import { NamedError } from '#util/named-error.ts';
import { hungUp, refusalOf, type ServerWords, wordsOf } from './client-refusal.ts';
import { ClientHandshake } from './handshake.ts';
import { NAMELESS, nextLogin, type RtmpLogin } from './login.ts';
import {
  commandMessage,
  controlMessage,
  FIRST_CHUNK_SIZE,
  MessageType,
  type RtmpMessage,
  SENT_CHUNK_SIZE,
  UserControl,
  userControlMessage,
  writeCommand,
} from './message.ts';
import { MessageReceiver, WINDOW } from './message-receiver.ts';
import type { RtmpTarget } from './target.ts';

export interface RtmpClientHandlers {
  /** Takes bytes for the server. */
  send(bytes: Buffer): void;
  /** The server plays, or takes what is published, on this message stream. */
  started(messageStream: number): void;
  /** Audio, video or data of the stream that is played. */
  media(message: RtmpMessage): void;
  /** The server wants to be asked again on a new connection, with this. Nothing more comes on this one. */
  again(login: RtmpLogin): void;
  /** It is over; called once. */
  failed(error: NamedError): void;
  random(size: number): Buffer;
}

export interface RtmpClientOptions {
  readonly clock: Clock;
  readonly target: RtmpTarget;
  /** The address as it may be shown, for errors. */
  readonly url: string;
  readonly purpose: 'play' | 'publish';
  /** FourCCs of Enhanced RTMP that we send or take. */
  readonly fourCcs: readonly string[];
  readonly login?: RtmpLogin;
}

/** How long the handshake and each answer may take, ms. */
const ANSWER_MS = 5000;
/** The same for `play` and `publish`: a server may have to fetch the stream first. */
const START_MS = 15_000;
/** How long no picture and no sound may come while playing, ms. */
const MEDIA_MS = 10_000;
/** What we tell the server to send ahead, ms; it is what ffmpeg tells it. */
const BUFFER_MS = 3000;
/** Codecs without a FourCC: all that the bits of the old specification can say (section 7.2.1.1). */
const ALL_SOUND = 0x0fff;
const ALL_PICTURES = 0xff;
const SEEKABLE = 1;

type State = 'shaking' | 'connecting' | 'creating' | 'asking' | 'running' | 'over';

/**
 * The client's side of one RTMP connection, without I/O: shakes hands, connects to the application, and plays or
 * publishes one stream (Adobe, "RTMP Specification 1.0", sections 5.2 and 7.2). Answers are told apart by their
 * transaction, in whatever order they come. Every answer and the media themselves have their time limits.
 */
export class RtmpClientSession {
  readonly #handlers: RtmpClientHandlers;
  readonly #options: RtmpClientOptions;
  readonly #login: RtmpLogin;
  readonly #handshake: ClientHandshake;
  readonly #receiver: MessageReceiver;
  #state: State = 'shaking';
  #chunkSize = FIRST_CHUNK_SIZE;
  #transaction = 0;
  /** What answers to our commands lead to, by transaction. */
  readonly #answers = new Map<number, (values: readonly AmfValue[]) => void>();
  #messageStream = 0;
  #lastMedia = 0;
  /** Picture or sound has come. */
  #heard = false;
  #cancelDeadline = () => {};

  constructor(handlers: RtmpClientHandlers, options: RtmpClientOptions) {
    this.#handlers = handlers;
    this.#options = options;
    this.#login = options.login ?? NAMELESS;
    this.#handshake = new ClientHandshake((size) => handlers.random(size));
    this.#receiver = new MessageReceiver({
      send: (bytes) => handlers.send(bytes),
      command: (values) => this.#command(values),
      media: (message) => this.#media(message),
      userControl: (event) => {
        if (event === UserControl.streamEof && this.#state === 'running') this.#ended('');
      },
    });
  }

  /** The connection stands: begin. */
  start(): void {
    this.#handlers.send(this.#handshake.hello());
    this.#within(ANSWER_MS, 'the handshake');
  }

  receive(bytes: Buffer): void {
    if (this.#state === 'over') return;
    try {
      if (this.#state !== 'shaking') return this.#receiver.receive(bytes);
      const { send, rest } = this.#handshake.receive(bytes);
      if (send) this.#handlers.send(send);
      if (!rest) return;
      this.#connect();
      this.#receiver.receive(rest);
    } catch (error) {
      if (!(error instanceof NamedError)) throw error;
      this.fail(error);
    }
  }

  /** Ends it from our side: the server is told. Nothing is called any more. Idempotent. */
  close(): void {
    if (this.#state === 'over') return;
    const { purpose, target } = this.#options;
    const isOpen = this.#state === 'asking' || this.#state === 'running';
    this.#end();
    if (!isOpen) return;
    const { send } = this.#handlers;
    if (purpose === 'publish') send(commandMessage(0, 'FCUnpublish', ++this.#transaction, null, target.key));
    send(commandMessage(0, 'deleteStream', ++this.#transaction, null, this.#messageStream));
  }

  /** The connection is gone: `error` says why. Some servers (nginx-rtmp) refuse in this way, without a word. */
  disconnected(error: NamedError): void {
    const { url, purpose } = this.#options;
    // It may have said before that it plays.
    const isSilent = this.#state === 'running' && purpose === 'play' && !this.#heard;
    if (!isSilent && !['connecting', 'creating', 'asking'].includes(this.#state)) return this.fail(error);
    const login = this.#nextLogin('', 'stream');
    if (login) this.#again(login);
    else this.fail(hungUp(url, this.#state === 'connecting' ? 'connect' : purpose));
  }

  /** Ends it with an error, such as that of the connection below. */
  fail(error: NamedError): void {
    if (this.#state === 'over') return;
    this.#end();
    this.#handlers.failed(error);
  }

  #end(): void {
    this.#state = 'over';
    this.#answers.clear();
    this.#cancelDeadline();
  }

  #connect(): void {
    const { target, purpose, fourCcs } = this.#options;
    const { app } = this.#login;
    this.#state = 'connecting';
    const about: AmfObject = {
      app: target.app + app,
      flashVer: purpose === 'publish' ? 'FMLE/3.0 (compatible; Sluice)' : 'LNX 9,0,124,2',
      tcUrl: target.tcUrl + app,
      fpad: false,
      capabilities: 15,
      audioCodecs: ALL_SOUND,
      videoCodecs: ALL_PICTURES,
      videoFunction: SEEKABLE,
      objectEncoding: 0,
      fourCcList: [...fourCcs],
      ...(purpose === 'publish' && { type: 'nonprivate' }),
    };
    this.#ask(0, ['connect', about], (values) => this.#connected(values));
    this.#within(ANSWER_MS, 'connect');
  }

  #connected([name, , ...rest]: readonly AmfValue[]): void {
    if (name === '_error') return this.#refused(wordsOf(rest), 'connect');
    const { purpose, target } = this.#options;
    this.#state = 'creating';
    // Not before: ffmpeg as a server takes nothing but "connect" for the first message.
    this.#handlers.send(controlMessage(MessageType.setChunkSize, SENT_CHUNK_SIZE));
    this.#chunkSize = SENT_CHUNK_SIZE;
    if (purpose === 'publish') {
      // Encoders say these, and some servers want to hear them; whether they are answered, and how, means nothing.
      this.#ask(0, ['releaseStream', null, target.key]);
      this.#ask(0, ['FCPublish', null, target.key]);
    } else this.#handlers.send(controlMessage(MessageType.windowSize, WINDOW));
    this.#ask(0, ['createStream', null], (values) => this.#created(values));
    this.#within(ANSWER_MS, 'createStream');
  }

  #created([name, , , stream, ...rest]: readonly AmfValue[]): void {
    if (name === '_error') return this.#refused(wordsOf([stream, ...rest]), 'stream');
    const { purpose } = this.#options;
    this.#state = 'asking';
    this.#messageStream = typeof stream === 'number' ? stream : 1;
    const key = this.#key();
    const refused = ([answer, , ...words]: readonly AmfValue[]) => {
      if (answer === '_error') this.#refused(wordsOf(words), 'stream');
    };
    if (purpose === 'publish') this.#ask(this.#messageStream, ['publish', null, key, 'live'], refused);
    else {
      this.#ask(this.#messageStream, ['play', null, key], refused);
      this.#handlers.send(userControlMessage(UserControl.bufferLength, this.#messageStream, BUFFER_MS));
    }
    this.#within(START_MS, purpose);
  }

  /** The path of `play` and `publish`, with what the login adds to its query. */
  #key(): string {
    const { key } = this.#options.target;
    if (this.#login.key === '') return key;
    return `${key}${key.includes('?') ? '&' : '?'}${this.#login.key}`;
  }

  #command(values: readonly AmfValue[]): void {
    if (this.#state === 'over') return;
    const [name, transaction, ...rest] = values;
    const id = typeof transaction === 'number' ? transaction : 0;
    switch (name) {
      case '_result':
      case '_error': {
        const answered = this.#answers.get(id);
        this.#answers.delete(id);
        return answered?.(values);
      }
      case 'onStatus':
        return this.#status(wordsOf(rest));
      case 'onBWDone':
        // Adobe's servers go on when they are asked to measure.
        return this.#ask(0, ['_checkbw', null]);
      case 'close':
      case 'onFCUnsubscribe':
        return this.#ended('');
      default:
        // A server that waits for an answer gets one.
        // Short enough for chunks of any size.
        if (id > 0) this.#handlers.send(commandMessage(0, '_result', id, null, undefined));
    }
  }

  #status(words: ServerWords): void {
    const { code } = words;
    const what = this.#options.purpose === 'play' ? 'NetStream.Play.' : 'NetStream.Publish.';
    if (words.isError) {
      if (this.#state === 'running') return this.#ended(words.said);
      return this.#refused(words, this.#state === 'connecting' ? 'connect' : 'stream');
    }
    if (code === `${what}Start`) return this.#start();
    const isEnd = /^NetStream\.(?:Play\.(?:UnpublishNotify|Stop|Complete)|Unpublish\.Success)$/.test(code);
    if (isEnd && this.#state === 'running') this.#ended(words.said);
  }

  #start(): void {
    if (this.#state !== 'asking') return;
    this.#state = 'running';
    this.#cancelDeadline();
    if (this.#options.purpose === 'play') {
      this.#lastMedia = this.#options.clock.now();
      this.#watch(MEDIA_MS);
    }
    this.#handlers.started(this.#messageStream);
  }

  #media(message: RtmpMessage): void {
    if (this.#options.purpose !== 'play') return;
    const isData = message.type === MessageType.data;
    // Some servers send what they have before, or without, saying that it begins.
    if (!isData) this.#start();
    if (this.#state !== 'running') return;
    if (!isData) {
      this.#lastMedia = this.#options.clock.now();
      this.#heard = true;
    }
    this.#handlers.media(message);
  }

  #watch(ms: number): void {
    this.#cancelDeadline = this.#options.clock.after(ms, () => {
      const left = this.#lastMedia + MEDIA_MS - this.#options.clock.now();
      if (left > 0) return this.#watch(left);
      const sentence = `${this.#options.url} sent no media for ${MEDIA_MS / 1000} s. Look whether somebody publishes there.`;
      this.fail(new NamedError('RTMP_NO_MEDIA', sentence, 504));
    });
  }

  /** The server does not give what is asked for; another way to say who asks may help. */
  #refused(words: ServerWords, phase: 'connect' | 'stream'): void {
    const { target, url, purpose } = this.#options;
    const login = this.#nextLogin(words.description, phase);
    if (login) return this.#again(login);
    this.fail(refusalOf(words, { url, purpose, hasCredentials: !!target.credentials }));
  }

  #nextLogin(description: string, phase: 'connect' | 'stream'): RtmpLogin | undefined {
    const nonce = this.#handlers.random(4).toString('hex');
    return nextLogin(this.#options.target, this.#login, { description, phase }, nonce);
  }

  #again(login: RtmpLogin): void {
    this.#end();
    this.#handlers.again(login);
  }

  #ended(said: string): void {
    const why = said === '' ? '' : ` It says: ${said}`;
    this.fail(new NamedError('RTMP_ENDED', `${this.#options.url} ended the stream.${why}`, 502));
  }

  #ask(
    streamId: number,
    [name, ...rest]: readonly [string, ...AmfValue[]],
    answered?: (values: readonly AmfValue[]) => void,
  ): void {
    const id = ++this.#transaction;
    if (answered) this.#answers.set(id, answered);
    this.#handlers.send(writeCommand(streamId, [name, id, ...rest], this.#chunkSize));
  }

  #within(ms: number, what: string): void {
    this.#cancelDeadline();
    this.#cancelDeadline = this.#options.clock.after(ms, () => {
      const sentence = `${this.#options.url} did not answer ${what} within ${ms / 1000} s.`;
      this.fail(new NamedError('RTMP_TIMEOUT', sentence, 504));
    });
  }
}
