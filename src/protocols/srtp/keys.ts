import { createCipheriv, createSecretKey, type KeyObject } from 'node:crypto';

/** How packets are protected. The numbers are those of DTLS-SRTP (RFC 5764 section 4.1.2, RFC 7714 section 14.2). */
export const SRTP_PROFILES = {
  'aead-aes-128-gcm': { id: 7, keySize: 16, saltSize: 12, tagSize: 16 },
  'aes128-cm-sha1-80': { id: 1, keySize: 16, saltSize: 14, tagSize: 10 },
} as const;

export type SrtpProfile = keyof typeof SRTP_PROFILES;

/** The secret of one direction. */
export interface MasterKey {
  readonly profile: SrtpProfile;
  readonly key: Buffer;
  readonly salt: Buffer;
}

/** What one direction protects RTP, or RTCP, with. */
export interface SessionKeys {
  /** KeyObjects: with Buffers Node 24 checks the key anew for each packet, which costs more than the cipher. */
  readonly cipher: KeyObject;
  readonly authentication: KeyObject;
  readonly salt: Buffer;
}

/** Labels of RFC 3711 section 4.3.2; RTCP's are these + 3. */
const ENCRYPTION = 0;
const AUTHENTICATION = 1;
const SALT = 2;
const RTCP = 3;

export function sessionKeys({ profile, key, salt }: MasterKey, kind: 'rtp' | 'rtcp'): SessionKeys {
  const { keySize, saltSize } = SRTP_PROFILES[profile];
  const master = createSecretKey(key);
  const derive = (label: number, size: number) =>
    deriveKey(master, salt, label + (kind === 'rtcp' ? RTCP : 0), size);
  return {
    cipher: createSecretKey(derive(ENCRYPTION, keySize)),
    authentication: createSecretKey(derive(AUTHENTICATION, 20)),
    salt: derive(SALT, saltSize),
  };
}

/** AES-CM as pseudo-random function (RFC 3711 section 4.3.3), key derivation rate 0. */
export function deriveKey(master: KeyObject, salt: Buffer, label: number, size: number): Buffer {
  const iv = Buffer.alloc(16);
  // A salt of 96 bits is filled up with zeros at its end (RFC 7714 section 11).
  salt.copy(iv);
  iv[7] = (iv[7] ?? 0) ^ label;
  return createCipheriv('aes-128-ctr', master, iv).update(Buffer.alloc(size));
}
