import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { type RunningProgram, start } from './process.ts';

/** Requests of the X protocol, version 11 (X.Org, "X Window System Protocol", appendix B). */
const CREATE_GC = 55;
const CHANGE_GC = 56;
const POLY_FILL_RECTANGLE = 70;
/** Has an answer, and so tells that all before it is done. */
const GET_INPUT_FOCUS = 43;
const FOREGROUND = 4;

/** An X server without a screen, and a client of ours that fills rectangles on its root window. */
export class XScreen implements AsyncDisposable {
  /** As `DISPLAY` has it. */
  readonly display: string;
  readonly #server: RunningProgram;
  readonly #socket: Socket;
  readonly #root: number;
  readonly #gc: number;

  private constructor(display: string, server: RunningProgram, socket: Socket, root: number, gc: number) {
    this.display = display;
    this.#server = server;
    this.#socket = socket;
    this.#root = root;
    this.#gc = gc;
  }

  static async start(width: number, height: number): Promise<XScreen> {
    const screen = ['-screen', '0', `${width}x${height}x24`];
    // It chooses a free number and says which.
    const server = start('Xvfb', ['-displayfd', '1', '-nolisten', 'tcp', ...screen], 100_000);
    while (!server.stdout.includes('\n')) await once(server.child.stdout!, 'data');
    const display = `:${server.stdout.trim()}`;
    const socket = connect(`/tmp/.X11-unix/X${server.stdout.trim()}`);
    await once(socket, 'connect');
    // Little-endian, version 11.0, no authorization.
    socket.write(Buffer.from([0x6c, 0, 11, 0, 0, 0, 0, 0, 0, 0, 0, 0]));
    let reply = Buffer.alloc(0);
    while (reply.length < 8 || reply.length < 8 + reply.readUInt16LE(6) * 4) {
      const [chunk] = (await once(socket, 'data')) as [Buffer];
      reply = Buffer.concat([reply, chunk]);
    }
    if (reply[0] !== 1) throw new Error('The X server did not let the test in.');
    const gc = reply.readUInt32LE(12);
    const vendor = reply.readUInt16LE(24);
    const formats = reply[29]!;
    const root = reply.readUInt32LE(40 + Math.ceil(vendor / 4) * 4 + formats * 8);
    socket.write(request(CREATE_GC, [gc, root, 0]));
    return new XScreen(display, server, socket, root, gc);
  }

  /**
   * Resolves when it is drawn.
   * @param color 0xRRGGBB
   */
  async fill(color: number, x: number, y: number, width: number, height: number): Promise<void> {
    const place = Buffer.alloc(8);
    for (const [at, value] of [x, y, width, height].entries()) place.writeUInt16LE(value, at * 2);
    this.#socket.write(request(CHANGE_GC, [this.#gc, FOREGROUND, color]));
    this.#socket.write(request(POLY_FILL_RECTANGLE, [this.#root, this.#gc], place));
    const answered = once(this.#socket, 'data');
    this.#socket.write(request(GET_INPUT_FOCUS, []));
    await answered;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#socket.destroy();
    await this.#server.stop();
  }
}

function request(opcode: number, words: readonly number[], rest = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(4 + words.length * 4);
  head[0] = opcode;
  head.writeUInt16LE((head.length + rest.length) / 4, 2);
  for (const [at, word] of words.entries()) head.writeUInt32LE(word, 4 + at * 4);
  return Buffer.concat([head, rest]);
}
