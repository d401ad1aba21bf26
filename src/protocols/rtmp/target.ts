import { NamedError } from '#util/named-error.ts';
import { percentDecoded } from '#util/percent-decoding.ts';

const DEFAULT_PORTS = { rtmp: 1935, rtmps: 443 };

/** Where an `rtmp://` or `rtmps://` address leads, and what is asked for there. */
export interface RtmpTarget {
  readonly host: string;
  readonly port: number;
  /** Over TLS. */
  readonly secure: boolean;
  /** The application of `connect`. */
  readonly app: string;
  /** The path of `play` and `publish`, its query included. */
  readonly key: string;
  /** The address of the application, without credentials, as `connect` tells it. */
  readonly tcUrl: string;
  /** Percent-decoded. */
  readonly credentials: { readonly user: string; readonly password: string } | undefined;
}

/**
 * Cuts an address as ffmpeg does, so that what works there works here: of two segments the first is the application; of
 * more, the first two are application and instance, unless a type with a colon (`mp4:…`) shows that the key begins with
 * the second. One segment is the application alone, and the key is empty.
 * @throws NamedError RTMP_ADDRESS_INVALID
 */
export function parseRtmpTarget(url: string): RtmpTarget {
  const match = /^(rtmps?):\/\/(?:([^/?#]*)@)?(\[[^\]]+\]|[^:/?#]+)(?::(\d{1,5}))?\/+([^?]*)(\?.*)?$/i.exec(
    url,
  );
  const scheme = match?.[1]?.toLowerCase() === 'rtmps' ? 'rtmps' : 'rtmp';
  const port = Number(match?.[4] ?? DEFAULT_PORTS[scheme]);
  const path = match?.[5] ?? '';
  if (!match || path === '' || port < 1 || port > 65_535) {
    throw new NamedError(
      'RTMP_ADDRESS_INVALID',
      'The address is no RTMP address such as rtmp://host:1935/app/stream or rtmps://host:443/app/stream; in a user or a password, characters such as / and @ are written %2F and %40.',
    );
  }
  const [, , userinfo, host = '', , , query = ''] = match;
  const cut = cutPath(path);
  // The application alone has the query of the address; servers find it in either.
  const app = cut.key === '' ? cut.app + query : cut.app;
  const authority = port === DEFAULT_PORTS[scheme] ? host : `${host}:${port}`;
  return {
    host: host.replace(/^\[|\]$/g, ''),
    port,
    secure: scheme === 'rtmps',
    app,
    key: cut.key === '' ? '' : cut.key + query,
    tcUrl: `${scheme}://${authority}/${app}`,
    credentials: userinfo === undefined ? undefined : parseUserinfo(userinfo),
  };
}

function cutPath(path: string): { app: string; key: string } {
  const first = path.indexOf('/');
  if (first < 0) return { app: path, key: '' };
  const second = path.indexOf('/', first + 1);
  const colon = path.indexOf(':', first + 1);
  const at = second < 0 || (colon >= 0 && colon < second) ? first : second;
  return { app: path.slice(0, at), key: path.slice(at + 1) };
}

function parseUserinfo(userinfo: string): { user: string; password: string } {
  const colon = userinfo.indexOf(':');
  const user = colon < 0 ? userinfo : userinfo.slice(0, colon);
  return { user: percentDecoded(user), password: colon < 0 ? '' : percentDecoded(userinfo.slice(colon + 1)) };
}
