import { constants, createHash, verify, X509Certificate } from 'node:crypto';
import type { DtlsServer } from 'werift';
import { type MasterKey, SRTP_PROFILES, type SrtpProfile } from '#protocols/srtp/keys.ts';

/** Our certificate, made at the first use: a day's worth of handshakes shares it as browsers check its fingerprint. */
export interface DtlsIdentity {
  readonly cert: string;
  readonly key: string;
  /** Hash and signature as DTLS numbers them. */
  readonly signatureHash: NonNullable<ConstructorParameters<typeof DtlsServer>[0]['signatureHash']>;
  /** SHA-256 in hex pairs with colons. */
  readonly fingerprint: string;
}

/** The library is loaded with the first viewer: it takes some 30 MB. */
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

const CERTIFICATE_VERIFY = 15;

/** Signatures of browsers by their numbers (RFC 5246 section 7.4.1.4.1, RFC 8446 section 4.2.3). */
const SIGNATURES: Readonly<Record<number, { readonly hash: string; readonly padding?: number }>> = {
  0x0403: { hash: 'sha256' },
  0x0503: { hash: 'sha384' },
  0x0603: { hash: 'sha512' },
  0x0401: { hash: 'sha256' },
  0x0501: { hash: 'sha384' },
  0x0601: { hash: 'sha512' },
  0x0804: { hash: 'sha256', padding: constants.RSA_PKCS1_PSS_PADDING },
};

export interface DtlsOptions {
  readonly identity: DtlsIdentity;
  /** SHA-256 of the other side's certificate, as its offer has it, in hex. */
  readonly fingerprint: string;
  readonly send: (bytes: Buffer) => void;
  /** The handshake is done: keys of what goes out and of what comes in. */
  readonly onKeys: (local: MasterKey, remote: MasterKey) => void;
  readonly onClose: (reason: string) => void;
}

/** The passive side of one DTLS connection, of which only the keys for SRTP are used (RFC 5764). */
export class DtlsEndpoint {
  readonly #server: DtlsServer;
  readonly #options: DtlsOptions;
  #isDone = false;
  #isClosed = false;

  private constructor(server: DtlsServer, options: DtlsOptions) {
    this.#server = server;
    this.#options = options;
    server.onConnect.subscribe(() => this.#connected());
    server.onClose.subscribe(() => this.#end('The other side closed the connection.'));
    server.onError.subscribe((error) => this.#end(`The DTLS handshake failed: ${error.message}`));
  }

  static async open(options: DtlsOptions): Promise<DtlsEndpoint> {
    const werift = await library();
    const { cert, key, signatureHash } = options.identity;
    let endpoint: DtlsEndpoint | undefined;
    const server = new werift.DtlsServer({
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
    });
    endpoint = new DtlsEndpoint(server, options);
    return endpoint;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  receive(bytes: Buffer): void {
    // A second handshake on the same connection is nothing that browsers do.
    if (this.#isClosed || (this.#isDone && bytes[0] === 22)) return;
    this.#server.transport.socket.onData(bytes, ['', 0]);
  }

  /** Idempotent. */
  close(): void {
    this.#isClosed = true;
  }

  #end(reason: string): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#options.onClose(reason);
  }

  #connected(): void {
    if (this.#isClosed || this.#isDone) return;
    const certificate = this.#server.remoteCertificate;
    const hash = certificate && createHash('sha256').update(certificate).digest('hex');
    if (!certificate || hash !== this.#options.fingerprint) {
      return this.#end('The certificate of the other side is not the one of its offer.');
    }
    if (!this.#provesItsKey(certificate)) {
      return this.#end('The other side does not have the key of its certificate.');
    }
    const id: number | undefined = this.#server.srtp.srtpProfile;
    const profile = (Object.keys(SRTP_PROFILES) as SrtpProfile[]).find(
      (name) => SRTP_PROFILES[name].id === id,
    );
    if (!profile) return this.#end('The other side has no SRTP profile of ours.');
    const { keySize, saltSize } = SRTP_PROFILES[profile];
    const keys = this.#server.extractSessionKeys(keySize, saltSize);
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
  #provesItsKey(certificate: Buffer): boolean {
    const messages = this.#server.dtls.sortedHandshakeCache;
    const at = messages.findIndex(({ msg_type }) => msg_type === CERTIFICATE_VERIFY);
    const body = messages[at]?.fragment;
    if (!body || body.length < 4) return false;
    const algorithm = SIGNATURES[body.readUInt16BE(0)];
    if (!algorithm) return false;
    const signed = Buffer.concat(messages.slice(0, at).map((message) => message.serialize()));
    const { hash, ...how } = algorithm;
    try {
      const key = new X509Certificate(certificate).publicKey;
      return verify(hash, signed, { key, ...how }, body.subarray(4, 4 + body.readUInt16BE(2)));
    } catch {
      return false;
    }
  }
}
