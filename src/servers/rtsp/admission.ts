import type { Access, Action, Credentials } from '#hub/access.ts';
import { credentialsOf } from '#hub/http-credentials.ts';
import { parseRtspAddress, splitTrack } from '#protocols/rtsp/address.ts';
import type { AdmissionRequest } from '#protocols/rtsp/application.ts';
import { AccessRefusal } from '#util/access-refusal.ts';
import { parseAuthorization } from '#util/authorization.ts';

export interface AdmissionOptions {
  readonly access: Access;
  /** IP address of the client. */
  readonly remote: string;
  /** The client may no longer do what it was let in for. */
  readonly onRevoked: (reason: string) => void;
}

/**
 * What the client of one connection was let in for: one action with one stream. Asked once, at the first request that
 * names the stream; later requests of the session are that client's too.
 */
export class Admission {
  readonly #options: AdmissionOptions;
  #admitted: { readonly action: Action; readonly stream: string } | undefined;
  #leave: (() => void) | undefined;
  #closed = false;

  constructor(options: AdmissionOptions) {
    this.#options = options;
  }

  /** @throws AccessRefusal */
  ask(request: AdmissionRequest): Promise<void> | undefined {
    const { method, address } = request;
    const admitted = this.#admitted;
    // The tracks of a stream stand below its name.
    if (method === 'SETUP' && admitted && `${address.path}/`.startsWith(`${admitted.stream}/`)) {
      return undefined;
    }
    const action = method === 'ANNOUNCE' ? 'publish' : 'read';
    const stream = method === 'SETUP' ? splitTrack(address.path).name : address.path;
    return this.#admit(action, stream, credentialsIn(request, stream));
  }

  /**
   * Makes sure that what is about to be done is what was asked for.
   * @throws AccessRefusal
   */
  mustCover(action: Action, stream: string): void {
    if (this.#admitted?.action === action && this.#admitted.stream === stream) return;
    throw new AccessRefusal(
      'ACCESS_FORBIDDEN',
      `This connection was let in for another stream than "${stream}". Open another connection for it.`,
      403,
    );
  }

  /** The connection is gone. Idempotent. */
  close(): void {
    this.#closed = true;
    this.#leave?.();
    this.#leave = undefined;
  }

  async #admit(action: Action, stream: string, credentials: Credentials): Promise<void> {
    const { access, remote, onRevoked } = this.#options;
    const identity = await access.check({ action, stream, door: 'rtsp', remote, credentials });
    this.#leave?.();
    this.#leave = this.#closed ? undefined : identity.onRevoked?.(onRevoked);
    this.#admitted = { action, stream };
  }
}

/** The Authorization header; else what the query of the address has: `?token=`, `?user=…&pass=…`. */
function credentialsIn({ method, address, authorization }: AdmissionRequest, stream: string): Credentials {
  const shown = authorization === undefined ? undefined : parseAuthorization(authorization);
  if (shown?.scheme !== 'digest') {
    const query = new URLSearchParams(address.query);
    return credentialsOf(authorization === undefined ? {} : { authorization }, query);
  }
  const { parameters } = shown;
  // An answer to a challenge for one stream opens no other. Players name the stream, or the track that they set up.
  const named = parseRtspAddress(parameters['uri'] ?? '')?.path;
  if (named === undefined || !`${named}/`.startsWith(`${stream}/`)) return { kind: 'none' };
  return { kind: 'digest', user: parameters['username'] ?? '', method, parameters };
}
