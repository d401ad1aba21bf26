/** A transport address of the other side. */
export interface IceRemote {
  readonly address: string;
  readonly port: number;
  /** How packets get there: over UDP, or inside a TCP connection (RFC 6544). */
  readonly protocol: 'udp' | 'tcp';
}

/** User name fragment and password of one side (RFC 8445 section 5.3). */
export interface IceCredentials {
  readonly ufrag: string;
  readonly password: string;
}

/** Without a check for so long the other side no longer consents to be sent media (RFC 7675 section 5.1). */
export const CONSENT_MS = 30_000;

/** Our part of the USERNAME of a check: what stands before the colon (RFC 8445 section 7.2.2). */
export function localFragment(username: string): string {
  const colon = username.indexOf(':');
  return colon < 0 ? username : username.slice(0, colon);
}

/** Whether two transport addresses are one. */
export function isSameRemote(a: IceRemote, b: IceRemote): boolean {
  return a.port === b.port && a.address === b.address && a.protocol === b.protocol;
}
