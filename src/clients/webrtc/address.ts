import { maskAddress } from '#util/mask-address.ts';
import { NamedError } from '#util/named-error.ts';
import { percentDecoded } from '#util/percent-decoding.ts';
import type { ServerTarget } from '../socket.ts';

/** What is asked for where: WHIP publishes, WHEP reads. */
export type WebRtcProtocol = 'whip' | 'whep';

/** Where a WHIP or WHEP server is asked. */
export interface WebRtcTarget extends ServerTarget {
  /** Path and query, without a token of ours. */
  readonly path: string;
  /** Value of `Authorization`; undefined where nothing is to be shown. */
  readonly authorization: string | undefined;
  /** For people: without credentials. */
  readonly shown: string;
}

/**
 * Reads `whip://`, `whips://`, `whep://`, `wheps://`, `http://` and `https://` addresses: `whip` is HTTP, `whips` HTTPS.
 * A user without a password, or `?token=`, is a bearer token (RFC 6750); with a password it is Basic.
 * @throws NamedError WEBRTC_ADDRESS_INVALID
 */
export function parseWebRtcAddress(address: string, protocol: WebRtcProtocol): WebRtcTarget {
  const own = new RegExp(`^${protocol}(s?)://`, 'i');
  const url = URL.parse(address.replace(own, 'http$1://'));
  if (!url || (url.protocol !== 'http:' && url.protocol !== 'https:') || url.hostname === '') {
    throw new NamedError(
      'WEBRTC_ADDRESS_INVALID',
      `The address is no ${protocol.toUpperCase()} address such as ${protocol}s://host/stream/${protocol} or https://host/stream/${protocol}; in a user or a password, characters such as / and @ are written %2F and %40.`,
    );
  }
  const secure = url.protocol === 'https:';
  const token = url.searchParams.get('token');
  // Kept as it was written but for the token: what a server makes of its query is its business.
  const query = url.search.replace(/([?&])token=[^&]*(&|$)/, (_, before: string, after: string) =>
    after === '&' ? before : '',
  );
  const user = percentDecoded(url.username);
  const basic = url.password !== '' && `${user}:${percentDecoded(url.password)}`;
  const bearer = user || token;
  return {
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: Number(url.port) || (secure ? 443 : 80),
    secure,
    path: `${url.pathname}${query}`,
    authorization: basic
      ? `Basic ${Buffer.from(basic).toString('base64')}`
      : bearer
        ? `Bearer ${bearer}`
        : undefined,
    shown: maskAddress(address),
  };
}
