import { constants, createHash, verify, X509Certificate } from 'node:crypto';
import type { DtlsClient, DtlsServer } from 'werift';
import { type MasterKey, SRTP_PROFILES, type SrtpProfile } from '../srtp/keys.ts';

/** Our certificate, made at the first use: a day's worth of handshakes shares it as browsers check its fingerprint. */
export interface DtlsIdentity {
  readonly cert: string;
  readonly key: string;
  /** Hash and signature as DTLS numbers them. */
  readonly signatureHash: NonNullable<ConstructorParameters<typeof DtlsServer>[0]['signatureHash']>;
  /** SHA-256 in hex pairs with colons. */
  readonly fingerprint: string;
}

/** The library is loaded with the first session: it takes some 30 MB. */
const library = () => import('werift');

export async function makeIdentity(): Promise<DtlsIdentity> {
  const { CipherContext } = await library();
  // sha256 and ecdsa (RFC 5246 section 7.4.1.4.1), on P-256 (RFC 8422 section 5.1.1).
  const made = await CipherContext.createSelfSignedCertificateWithKey({ hash: 4, signature: 3 }, 23);
  const { fingerprint256 } = new X509Certificate(made.certPem);
  return {
    cert: made.certPem,
    key: made.keyPem,
    signatureHash: made.signatureHash,
    fingerprint: fingerprint256,
  };
}

const HANDSHAKE = 22;
/**
 * Messages that count once, the first time: all but the hello of a client, which comes again with a cookie.
 * A side that waits too long for an answer sends its last ones again, and Chromium waits 50 ms: the library would take a
 * second key exchange for a new one, and both sides would end with different keys.
 */
const ONCE: ReadonlySet<number> = new Set([2, 3, 11, 12, 13, 14, 15, 16, 20]);
const CLIENT_HELLO = 1;
/** As the library numbers the flights (RFC 6347 section 4.2.4): ServerHello to ServerHelloDone. */
const FLIGHT_4 = 4;
/** How often what was said last is said again. */
const MAX_REPEATS = 32;

/** Messages of the handshake whose signatures are checked. */
const SERVER_KEY_EXCHANGE = 12;
const CERTIFICATE_VERIFY = 15;
const CLIENT_KEY_EXCHANGE = 16;

/** Signatures by their numbers (RFC 5246 section 7.4.1.4.1, RFC 8446 section 4.2.3). */
const SIGNATURES: Readonly<Record<number, { readonly hash: string; readonly padding?: number }>> = {
  0x0403: { hash: 'sha256' },
  0x0503: { hash: 'sha384' },
  0x0603: { hash: 'sha512' },
  0x0401: { hash: 'sha256' },
  0x0501: { hash: 'sha384' },
  0x0601: { hash: 'sha512' },
  0x0804: { hash: 'sha256', padding: constants.RSA_PKCS1_PSS_PADDING },
};

/** `server` waits for the other side to begin (passive), `client` begins (active). */
export type DtlsRole = 'server' | 'client';

export interface DtlsOptions {
  readonly identity: DtlsIdentity;
  readonly role: DtlsRole;
  /** SHA-256 of the other side's certificate, as its description has it, in lower case hex without colons. */
  readonly fingerprint: string;
  readonly send: (bytes: Buffer) => void;
  /** The handshake is done: keys of what goes out and of what comes in. */
  readonly onKeys: (local: MasterKey, remote: MasterKey) => void;
  /** Application data, after the handshake. */
  readonly onData?: (bytes: Buffer) => void;
  readonly onClose: (reason: string) => void;
}

/** Types of records (RFC 5246 section 6.2.1), and the alert that says that no more will come. */
const ALERT = 21;
const APPLICATION_DATA = 23;
const CLOSE_NOTIFY = Buffer.from([1, 0]);
const FATAL = 2;
const RECORD_HEADER = 13;
/** Bytes that are looked at before there are keys, some twenty times a handshake: the library keeps all fragments. */
const MAX_HANDSHAKE = 128 << 10;
/**
 * The library numbers its encrypted records from the handshake's count on, and then begins anew: a number must never be
 * used twice with one key, so ours begin beyond any that it may have used.
 */
const FIRST_RECORD = 1 << 16;

/**
 * One side of a DTLS connection, whose keys are for SRTP (RFC 5764); beside that it carries the packets of data channels
 * (RFC 8261).
 */
export class DtlsEndpoint {
  readonly #socket: DtlsServer | DtlsClient;
  readonly #options: DtlsOptions;
  #begun = false;
  #isDone = false;
  #isClosed = false;
  readonly #taken = new Set<number>();
  #repeats = 0;
  /** Bytes that came before there were keys. */
  #shaken = 0;
  #nextRecord = FIRST_RECORD;

  private constructor(socket: DtlsServer | DtlsClient, options: DtlsOptions) {
    this.#socket = socket;
    this.#options = options;
    const handle = socket.onHandleHandshakes;
    socket.onHandleHandshakes = (messages) =>
      handle(messages.filter(({ msg_type }) => this.#isNew(msg_type)));
    socket.onConnect.subscribe(() => this.#connected());
    socket.onClose.subscribe(() => this.#end('The other side closed the connection.'));
    socket.onError.subscribe((error) => this.#end(`The DTLS handshake failed: ${error.message}`));
  }

  static async open(options: DtlsOptions): Promise<DtlsEndpoint> {
    const werift = await library();
    const { cert, key, signatureHash } = options.identity;
    let endpoint: DtlsEndpoint | undefined;
    const settings = {
      transport: {
        type: 'udp',
        onData: () => {},
        send: async (bytes: Buffer) => {
          if (!endpoint?.isClosed) options.send(bytes);
        },
        close: async () => {},
        closed: false,
        address: { host: '', port: 0, type: 'udp', address: '', family: 'IPv4' },
      } as unknown as ConstructorParameters<typeof DtlsServer>[0]['transport'],
      srtpProfiles: Object.values(SRTP_PROFILES).map(({ id }) => id),
      cert,
      key,
      signatureHash,
      certificateRequest: true,
      extendedMasterSecret: true,
    };
    const socket =
      options.role === 'server' ? new werift.DtlsServer(settings) : new werift.DtlsClient(settings);
    endpoint = new DtlsEndpoint(socket, options);
    return endpoint;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** The way to the other side is open; a client begins the handshake. Idempotent. */
  begin(): void {
    const socket = this.#socket;
    if (this.#begun || this.#isClosed || !('connect' in socket)) return;
    this.#begun = true;
    socket.connect().catch((error: unknown) => {
      this.#end(`The DTLS handshake failed: ${error instanceof Error ? error.message : String(error)}`);
    });
  }

  receive(bytes: Buffer): void {
    if (this.#isClosed) return;
    if (this.#isDone) return this.#receiveRecords(bytes);
    this.#shaken += bytes.length;
    if (this.#shaken > MAX_HANDSHAKE) return;
    try {
      this.#socket.transport.socket.onData(bytes, ['', 0]);
    } catch {
      // The library trusts lengths that it reads: what is cut short is no record.
    }
  }

  /** Sends application data: one record, one datagram. Before the handshake is done, and after the end, nothing. */
  sendData(bytes: Buffer): void {
    if (this.#isDone && !this.#isClosed) this.#options.send(this.#record(APPLICATION_DATA, bytes));
  }

  /** The other side is told, where there is a connection: it need not wait for what is missing then. Idempotent. */
  close(): void {
    if (this.#isDone && !this.#isClosed) this.#options.send(this.#record(ALERT, CLOSE_NOTIFY));
    this.#isClosed = true;
  }

  /**
   * Records of a connection that stands. The library would take a handshake in clear, and lose its keys over it, and end
   * at an alert in clear, which anybody can send from the other side's address: what nobody with the keys made is let go
   * by (RFC 6347 section 4.1.2.7).
   */
  #receiveRecords(bytes: Buffer): void {
    for (let at = 0; at + RECORD_HEADER <= bytes.length && !this.#isClosed; ) {
      const end = at + RECORD_HEADER + bytes.readUInt16BE(at + 11);
      if (end > bytes.length) return;
      const contentType = bytes[at] ?? 0;
      const plain = this.#open(bytes.subarray(at, end));
      at = end;
      if (!plain) continue;
      // Closing, or beyond repair; other warnings change nothing (RFC 5246 section 7.2).
      const isEnd = plain[0] === FATAL || plain[1] === CLOSE_NOTIFY[1];
      if (contentType === APPLICATION_DATA) this.#options.onData?.(plain);
      else if (contentType === ALERT && isEnd) this.#end('The other side closed the connection.');
      // Whoever says the end of the handshake again has not heard ours (RFC 6347 section 4.2.4).
      else if (contentType === HANDSHAKE) this.#repeat();
    }
  }

  /** What stands in an encrypted record; undefined where that is not of who has the keys. */
  #open(record: Buffer): Buffer | undefined {
    const { cipher, dtls } = this.#socket;
    const epoch = record.readUInt16BE(3);
    if (epoch !== dtls.epoch) return undefined;
    const recordLayerHeader = {
      contentType: record[0] ?? 0,
      protocolVersion: { major: record[1] ?? 0, minor: record[2] ?? 0 },
      epoch,
      sequenceNumber: record.readUIntBE(5, 6),
      contentLen: record.length - RECORD_HEADER,
    };
    const sealed = { recordLayerHeader, fragment: record.subarray(RECORD_HEADER) };
    try {
      return cipher.decryptPacket(sealed as Parameters<typeof cipher.decryptPacket>[0]);
    } catch {
      return undefined;
    }
  }

  /** An encrypted record as it goes out (RFC 6347 section 4.1). */
  #record(contentType: number, fragment: Buffer): Buffer {
    const { dtls, cipher } = this.#socket;
    const { version, epoch } = dtls;
    const sequenceNumber = this.#nextRecord++;
    const recordLayerHeader = {
      ...{ contentType, protocolVersion: version, epoch, sequenceNumber, contentLen: fragment.length },
    };
    const plain = { recordLayerHeader, fragment } as Parameters<typeof cipher.encryptPacket>[0];
    const { fragment: sealed } = cipher.encryptPacket(plain);
    const record = Buffer.allocUnsafe(RECORD_HEADER + sealed.length);
    record[0] = contentType;
    record[1] = version.major;
    record[2] = version.minor;
    record.writeUInt16BE(epoch, 3);
    record.writeUIntBE(sequenceNumber, 5, 6);
    record.writeUInt16BE(sealed.length, 11);
    sealed.copy(record, RECORD_HEADER);
    return record;
  }

  #isNew(type: number): boolean {
    if (this.#taken.has(type)) return false;
    // A late copy of the first hello would begin everything anew.
    if (type === CLIENT_HELLO && this.#socket.dtls.flight >= FLIGHT_4) {
      this.#repeat();
      return false;
    }
    if (ONCE.has(type)) this.#taken.add(type);
    return true;
  }

  /** What the server said last was not heard. Once it has had the last word, nobody else would say it again. */
  #repeat(): void {
    if (this.#options.role !== 'server' || this.#repeats++ >= MAX_REPEATS) return;
    for (const message of this.#socket.dtls.lastMessage) this.#options.send(message);
  }

  #end(reason: string): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#options.onClose(reason);
  }

  #connected(): void {
    if (this.#isClosed || this.#isDone) return;
    const certificate = this.#socket.remoteCertificate;
    const hash = certificate && createHash('sha256').update(certificate).digest('hex');
    if (!certificate || hash !== this.#options.fingerprint) {
      return this.#end('The certificate of the other side is not the one of its description.');
    }
    const signature = this.#options.role === 'server' ? this.#certificateVerify() : this.#serverKeyExchange();
    if (!signature || !isSignedBy(certificate, signature)) {
      return this.#end('The other side does not have the key of its certificate.');
    }
    const id: number | undefined = this.#socket.srtp.srtpProfile;
    const profile = (Object.keys(SRTP_PROFILES) as SrtpProfile[]).find(
      (name) => SRTP_PROFILES[name].id === id,
    );
    if (!profile) return this.#end('The other side has no SRTP profile of ours.');
    const { keySize, saltSize } = SRTP_PROFILES[profile];
    const keys = this.#socket.extractSessionKeys(keySize, saltSize);
    this.#isDone = true;
    this.#options.onKeys(
      { profile, key: keys.localKey, salt: keys.localSalt },
      { profile, key: keys.remoteKey, salt: keys.remoteSalt },
    );
  }

  /**
   * CertificateVerify (RFC 5246 section 7.4.8) signs all messages before it. The library passes over it, and without it
   * anybody could show the certificate of the offer.
   */
  #certificateVerify(): Signed | undefined {
    const messages = this.#socket.dtls.sortedHandshakeCache;
    const at = messages.findIndex(({ msg_type }) => msg_type === CERTIFICATE_VERIFY);
    const body = messages[at]?.fragment;
    const exchanged = messages.find(({ msg_type }) => msg_type === CLIENT_KEY_EXCHANGE)?.fragment;
    if (!body || !exchanged || !this.#isExchanged(exchanged.subarray(1))) return undefined;
    return readSignature(body, Buffer.concat(messages.slice(0, at).map((message) => message.serialize())));
  }

  /**
   * ServerKeyExchange (RFC 8422 section 5.4) signs both random numbers and the key that was exchanged. The library
   * passes over it as well: without it the certificate of the answer would say nothing about who has the keys.
   */
  #serverKeyExchange(): Signed | undefined {
    const { dtls, cipher } = this.#socket;
    const body = dtls.sortedHandshakeCache.find(({ msg_type }) => msg_type === SERVER_KEY_EXCHANGE)?.fragment;
    // Kind of curve (1 byte), its name (2), and the key behind its size (1).
    const size = 4 + (body?.[3] ?? 0);
    if (!body || size > body.length || !this.#isExchanged(body.subarray(4, size))) return undefined;
    const signed = [cipher.localRandom.serialize(), cipher.remoteRandom.serialize(), body.subarray(0, size)];
    return readSignature(body.subarray(size), Buffer.concat(signed));
  }

  /**
   * The key in the message that was signed must be the one that is used: the library takes a second message of the kind
   * for the first one's successor, and somebody in between could send it.
   */
  #isExchanged(key: Buffer): boolean {
    return this.#socket.cipher.remoteKeyPair.publicKey?.equals(key) === true;
  }
}

interface Signed {
  readonly algorithm: number;
  readonly signature: Buffer;
  readonly signed: Buffer;
}

/** A DigitallySigned (RFC 5246 section 4.7): algorithm, size, signature. */
function readSignature(body: Buffer, signed: Buffer): Signed | undefined {
  if (body.length < 4) return undefined;
  const signature = body.subarray(4, 4 + body.readUInt16BE(2));
  return { algorithm: body.readUInt16BE(0), signature, signed };
}

function isSignedBy(certificate: Buffer, { algorithm, signature, signed }: Signed): boolean {
  const known = SIGNATURES[algorithm];
  if (!known) return false;
  const { hash, ...how } = known;
  try {
    return verify(hash, signed, { key: new X509Certificate(certificate).publicKey, ...how }, signature);
  } catch {
    return false;
  }
}
