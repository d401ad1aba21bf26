import { NamedError } from '#util/named-error.ts';

const VERSION = 3;
const SIZE = 1536;
const HTTP = Buffer.from('HTTP/');

/**
 * The server's side of the simple handshake (Adobe, "RTMP Specification 1.0", section 5.2). Clients that begin the one
 * with digests take the answer to this one as well; the versions with encryption do not, and are refused.
 */
export class ServerHandshake {
  #received: Buffer = Buffer.alloc(0);
  #answered = false;
  readonly #random: (size: number) => Buffer;

  constructor(random: (size: number) => Buffer) {
    this.#random = random;
  }

  /**
   * @returns what is to be sent, and what stands behind the handshake once it is over
   * @throws NamedError RTMP_PROTOCOL_ERROR
   */
  receive(bytes: Buffer): { readonly send?: Buffer; readonly rest?: Buffer } {
    this.#received = Buffer.concat([this.#received, bytes]);
    const version = this.#received[0];
    if (version !== undefined && version !== VERSION) {
      const what = version === 6 ? 'encrypted RTMP (RTMPE)' : `version ${version} of the handshake`;
      throw new NamedError(
        'RTMP_PROTOCOL_ERROR',
        `The other side begins with ${what}, and this server takes version ${VERSION} only: use an rtmp:// address.`,
      );
    }
    if (this.#received.length < 1 + SIZE) return {};
    let send: Buffer | undefined;
    if (!this.#answered) {
      this.#answered = true;
      const zeroTime = Buffer.alloc(8);
      const echo = this.#received.subarray(1, 1 + SIZE);
      send = Buffer.concat([Buffer.from([VERSION]), zeroTime, this.#random(SIZE - 8), echo]);
    }
    const over = this.#received.length >= 1 + 2 * SIZE;
    return { ...(send && { send }), ...(over && { rest: this.#received.subarray(1 + 2 * SIZE) }) };
  }
}

/** The client's side of the same handshake. */
export class ClientHandshake {
  #received: Buffer = Buffer.alloc(0);
  #answered = false;
  readonly #random: (size: number) => Buffer;

  constructor(random: (size: number) => Buffer) {
    this.#random = random;
  }

  /** What the client begins with. */
  hello(): Buffer {
    return Buffer.concat([Buffer.from([VERSION]), Buffer.alloc(8), this.#random(SIZE - 8)]);
  }

  /**
   * @returns what is to be sent, and what stands behind the handshake once it is over. That the server echoes what we
   *   sent is not checked: those that answer the handshake with digests do not.
   * @throws NamedError RTMP_PROTOCOL_ERROR
   */
  receive(bytes: Buffer): { readonly send?: Buffer; readonly rest?: Buffer } {
    this.#received = Buffer.concat([this.#received, bytes]);
    const version = this.#received[0];
    if (version !== undefined && version !== VERSION) {
      const what = this.#received.subarray(0, 5).equals(HTTP) ? 'HTTP' : `a handshake of version ${version}`;
      throw new NamedError(
        'RTMP_PROTOCOL_ERROR',
        `The server answers with ${what} instead of RTMP: check the port of the address.`,
        502,
      );
    }
    if (this.#received.length < 1 + SIZE) return {};
    let send: Buffer | undefined;
    if (!this.#answered) {
      this.#answered = true;
      send = Buffer.from(this.#received.subarray(1, 1 + SIZE));
    }
    const over = this.#received.length >= 1 + 2 * SIZE;
    return { ...(send && { send }), ...(over && { rest: this.#received.subarray(1 + 2 * SIZE) }) };
  }
}
