/** The words of `hub/access.ts`, which this room does not import: the compiler holds them equal where `app/` joins both. */

export type Action = 'publish' | 'read' | 'manage';

export type Credentials =
  | { readonly kind: 'none' }
  | { readonly kind: 'password'; readonly user: string; readonly password: string }
  | { readonly kind: 'token'; readonly token: string }
  | { readonly kind: 'session'; readonly session: string }
  | {
      readonly kind: 'digest';
      readonly user: string;
      readonly method: string;
      readonly parameters: Readonly<Record<string, string>>;
    };

export interface AccessRequest {
  readonly action: Action;
  /** Empty: the server as a whole. */
  readonly stream: string;
  readonly door: string;
  /** IP address. */
  readonly remote: string;
  readonly credentials: Credentials;
}

/** What somebody may do, and with which streams. */
export interface Permission {
  readonly actions: readonly Action[];
  /** A name, `prefix/*`, `*`, or `~` and a regular expression. */
  readonly streams: string;
}

/** Who somebody is, as far as it was proved, and what they may do. */
export interface Principal {
  /** For people and the log. */
  readonly name: string;
  permits(action: Action, stream: string): boolean;
}
