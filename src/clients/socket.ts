import { isIP, connect as plainConnect, type Socket } from 'node:net';
import { connect as tlsConnect } from 'node:tls';
import { forbidInner, guardLookup } from '#util/guarded-lookup.ts';
import { distrust, type ServerTrust } from '#util/server-trust.ts';
import { lookup } from './lookup.ts';

/** Where an address leads. */
export interface ServerTarget {
  readonly host: string;
  readonly port: number;
  /** Over TLS. */
  readonly secure: boolean;
}

export interface ConnectOptions {
  readonly target: ServerTarget;
  readonly trust: ServerTrust;
  /**
   * It may not lead to this machine, its cable or its cloud, by whatever name; what leads there, for the error. Absent: it may.
   */
  readonly guarded?: string | undefined;
  /** The connection stands; over TLS, with a server that is trusted. */
  readonly connected: () => void;
  /** Its certificate is not taken, and why: `shows a certificate …`. */
  readonly refused: (why: string) => void;
}

/**
 * Opens a connection to a server. Until `connected` is called nothing may be sent.
 * @throws ForbiddenAddress for an IP address that may not be reached; a name that leads to one is an error of the socket
 */
export function openSocket(options: ConnectOptions): Socket {
  const { target, connected } = options;
  const { host, port } = target;
  const { guarded } = options;
  if (guarded !== undefined && isIP(host) !== 0) forbidInner(host, guarded);
  const find = guarded === undefined ? lookup : guardLookup(lookup, guarded);
  if (!target.secure) {
    const where = { host, port, lookup: find, autoSelectFamily: true };
    return plainConnect({ ...where, noDelay: true, keepAlive: true }).on('connect', connected);
  }
  const socket = tlsConnect({
    host,
    port,
    lookup: find,
    // Addresses are no server names (RFC 6066 section 3).
    ...(isIP(host) === 0 && { servername: host }),
    // Judged below, where the error can tell the fingerprint.
    rejectUnauthorized: false,
  });
  socket.setNoDelay(true);
  socket.setKeepAlive(true);
  socket.on('secureConnect', () => {
    const shown = socket.getPeerCertificate().fingerprint256;
    const why = distrust(options.trust, shown, socket.authorized ? undefined : socket.authorizationError);
    if (why === undefined) connected();
    else options.refused(why);
  });
  return socket;
}
