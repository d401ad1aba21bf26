import { NamedError } from '#util/named-error.ts';
import type { ServerTarget } from '../socket.ts';

/** RFC 7826 section 22.14. */
const DEFAULT_PORTS = { rtsp: 554, rtsps: 322 };

/** How errors of connections to RTSP servers are called. */
export const RTSP_CODES = { unreachable: 'RTSP_UNREACHABLE', certificate: 'RTSP_CERTIFICATE_REFUSED' };

/**
 * Where an `rtsp://` or `rtsps://` address leads.
 * @throws NamedError RTSP_ADDRESS_INVALID
 */
export function parseTarget(url: string): ServerTarget {
  const match = /^(rtsps?):\/\/(?:[^/?#]*@)?(\[[^\]]+\]|[^:/?#]+)(?::(\d{1,5}))?(?:[/?#]|$)/i.exec(url);
  const secure = match?.[1]?.toLowerCase() === 'rtsps';
  const port = Number(match?.[3] ?? DEFAULT_PORTS[secure ? 'rtsps' : 'rtsp']);
  if (!match || port < 1 || port > 65_535) {
    throw new NamedError(
      'RTSP_ADDRESS_INVALID',
      'The address is no RTSP address such as rtsp://host:554/stream or rtsps://host:322/stream; in a user or a password, characters such as / and @ are written %2F and %40.',
    );
  }
  return { host: (match[2] ?? '').replace(/^\[|\]$/g, ''), port, secure };
}
