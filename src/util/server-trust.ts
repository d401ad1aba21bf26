/** How the certificate of a server is judged. */
export interface ServerTrust {
  /** SHA-256 of the one certificate that is taken, whoever signed it; hexadecimal, with or without colons. */
  readonly fingerprint?: string | undefined;
  /** Any certificate is taken. */
  readonly insecure?: boolean | undefined;
}

/** Why a certificate is not taken; undefined when it is. */
export function distrust(
  { fingerprint, insecure = false }: ServerTrust,
  shown: string | undefined,
  authorizationError: Error | string | undefined,
): string | undefined {
  if (insecure) return undefined;
  const plain = (text: string) => text.replaceAll(':', '').toLowerCase();
  if (fingerprint !== undefined) {
    if (shown !== undefined && plain(shown) === plain(fingerprint)) return undefined;
    return `shows a certificate with the fingerprint ${shown ?? '(none)'}, and "fingerprint" of the stream is another one. If it was renewed, write the new one there.`;
  }
  if (authorizationError === undefined) return undefined;
  const reason = authorizationError instanceof Error ? authorizationError.message : authorizationError;
  return `shows a certificate that is not trusted (${reason}). If it is the right one, set fingerprint: "${shown ?? ''}" for the stream.`;
}
