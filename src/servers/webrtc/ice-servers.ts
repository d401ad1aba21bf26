/** A STUN or TURN server that clients are told of. */
export interface IceServer {
  /** `stun:`, `stuns:`, `turn:` and `turns:` addresses (RFC 7064, RFC 7065). */
  readonly urls: readonly string[];
  readonly username?: string | undefined;
  readonly credential?: string | undefined;
}

/**
 * The `Link` header that names ICE servers (RFC 9725 section 4.6); without one where there is nothing to name.
 * @param withCredentials also those that need a password, and the passwords
 */
export function linkHeader(
  servers: readonly IceServer[],
  withCredentials: boolean,
): { readonly link?: string } {
  const links = servers.flatMap(({ urls, username, credential }) => {
    if (username === undefined || credential === undefined)
      return urls.map((url) => `<${url}>; rel="ice-server"`);
    if (!withCredentials) return [];
    const secret = `username=${quoted(username)}; credential=${quoted(credential)}; credential-type="password"`;
    return urls.map((url) => `<${url}>; rel="ice-server"; ${secret}`);
  });
  return links.length > 0 ? { link: links.join(', ') } : {};
}

/** RFC 9110 section 5.6.4; what cannot stand in a header was refused with the configuration. */
function quoted(text: string): string {
  return `"${text.replace(/["\\]/g, '\\$&')}"`;
}
