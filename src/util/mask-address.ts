/**
 * An address as people may see it: without credentials, and without the passwords that some cameras and servers want in
 * the path or the query (`?user=admin&password=…`, `/user=admin_password=…_channel=1`, `?passphrase=…`,
 * `?streamid=publish:name:user:password`).
 */
export function maskAddress(url: string): string {
  const secret =
    /((?:password|passwd|passphrase|pass|pwd|token|secret|auth)=).*?(?=[&/?#;\s]|_channel=|_stream=|$)/gi;
  // A password with a bare slash looks like a host with a port that is no number.
  const broken = /^([a-z][a-z0-9+.-]*:\/\/)(?!\[)[^/?#]*:[^/?#]*[^/?#\d][^/?#]*[/?#].*@/i;
  // What a server of SRT is told, by the convention of MediaMTX.
  const streamId = /(streamid=[a-z]+:[^:&#\s]*):[^&#\s]*/gi;
  const withoutUser = url.replace(/^([a-z][a-z0-9+.-]*:\/\/)[^/?#]*@/i, '$1');
  return withoutUser.replace(broken, '$1***@').replace(secret, '$1***').replace(streamId, '$1:***');
}
