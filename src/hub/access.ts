/**
 * Who may do what with a stream: the words in which doors ask. A door asks before it publishes or lets somebody read;
 * who answers is not its business (`auth/`, wired in by `app/`).
 */

/** `manage` is for what changes the server or looks into it; it concerns the whole server where the stream is empty. */
export type Action = 'publish' | 'read' | 'manage';

/** What somebody shows to say who they are. */
export type Credentials =
  | { readonly kind: 'none' }
  | { readonly kind: 'password'; readonly user: string; readonly password: string }
  /** A bearer token, or one that stands in the address: a JSON Web Token, an API token, a signed address. */
  | { readonly kind: 'token'; readonly token: string }
  /** The cookie of the page. */
  | { readonly kind: 'session'; readonly session: string }
  /** The answer to a challenge of HTTP or RTSP (RFC 7616); `password` of the user is never sent. */
  | {
      readonly kind: 'digest';
      readonly user: string;
      /** Method of the request, `DESCRIBE` say. */
      readonly method: string;
      /** Parameters of the `Authorization` header by name, in small letters and without quotes. */
      readonly parameters: Readonly<Record<string, string>>;
    };

export interface AccessRequest {
  readonly action: Action;
  readonly stream: string;
  /** The door that asks: `rtsp`, `rtmp`, `hls`, `webrtc`, `mse`, `flv`, `results`, `snapshot` … */
  readonly door: string;
  /** IP address of who asks; failed attempts are counted by it. */
  readonly remote: string;
  readonly credentials: Credentials;
}

/** Who was let in. */
export interface Identity {
  /** Name of the user; undefined where no user is set and everybody may do everything. */
  readonly user: string | undefined;
  /**
   * Calls once when they may no longer do what they were let in for, because the users of the server changed; call the
   * returned function when they have left. Absent where that cannot happen.
   */
  readonly onRevoked?: (callback: (reason: string) => void) => () => void;
}

export interface Access {
  /**
   * Resolves when they may.
   * @throws AccessRefusal (`util/access-refusal.ts`) ACCESS_UNAUTHENTICATED (401: credentials are missing or wrong; ask
   *   for them), ACCESS_FORBIDDEN (403: these credentials are good, but not for this), ACCESS_THROTTLED (429: too many
   *   wrong ones from there)
   */
  check(request: AccessRequest): Promise<Identity>;
}

/** Everybody may do everything: without users every door listens on loopback only. */
export const openAccess: Access = { check: async () => ({ user: undefined }) };
