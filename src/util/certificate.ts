import { readFile } from 'node:fs/promises';
import { createSecureContext, type SecureContextOptions } from 'node:tls';
import { messageOf, NamedError } from './named-error.ts';

/** Absolute paths of two PEM files. */
export interface CertificateFiles {
  /** The certificate, and those between it and the root behind it. */
  readonly cert: string;
  readonly key: string;
}

/**
 * Reads a certificate and its key, and makes sure that they belong together: what comes out can be given to a server.
 * @throws NamedError TLS_FILE_UNREADABLE, TLS_CERTIFICATE_INVALID
 */
export async function loadCertificate(files: CertificateFiles): Promise<SecureContextOptions> {
  const [cert, key] = await Promise.all([read(files.cert, 'tls.cert'), read(files.key, 'tls.key')]);
  try {
    createSecureContext({ cert, key });
  } catch (error) {
    throw new NamedError(
      'TLS_CERTIFICATE_INVALID',
      `The certificate ${files.cert} cannot be used with the key ${files.key}: ${messageOf(error)}. Both have to be PEM files, and the key has to be that of the certificate.`,
      500,
      { cause: error },
    );
  }
  return { cert, key };
}

async function read(file: string, setting: string): Promise<Buffer> {
  try {
    return await readFile(file);
  } catch (error) {
    throw new NamedError(
      'TLS_FILE_UNREADABLE',
      `"${setting}" names ${file}, which cannot be read: ${messageOf(error)}. Correct the path, or let the user of Sluice read it.`,
      500,
      { cause: error },
    );
  }
}
