import { createCipheriv, createDecipheriv, createHmac, timingSafeEqual } from 'node:crypto';
import { type SessionKeys, SRTP_PROFILES, type SrtpProfile } from './keys.ts';

/**
 * One direction's cipher for RTP, or for RTCP. `index` is the packet's 48-bit index for RTP (rollover counter and
 * sequence number), the 31-bit one for RTCP.
 */
export interface PacketCipher {
  /** Encrypts `body` into `into`, behind the header that stands there already, `clear` bytes; the tag comes behind it. */
  seal(body: Buffer, clear: number, ssrc: number, index: number, into: Buffer): void;
  /** The packet in clear; undefined when it was not made by who has the key. */
  open(packet: Buffer, clear: number, ssrc: number, index: number): Buffer | undefined;
  readonly tagSize: number;
}

export function packetCipher(profile: SrtpProfile, keys: SessionKeys, kind: 'rtp' | 'rtcp'): PacketCipher {
  return profile === 'aead-aes-128-gcm' ? new GcmCipher(keys, kind) : new CounterCipher(keys, kind);
}

/** The bit that says that RTCP is encrypted (RFC 3711 section 3.4). */
const ENCRYPTED = 0x8000_0000;

function trailer(index: number): Buffer {
  const word = Buffer.allocUnsafe(4);
  word.writeUInt32BE((index | ENCRYPTED) >>> 0);
  return word;
}

/** AEAD_AES_128_GCM (RFC 7714). */
class GcmCipher implements PacketCipher {
  readonly tagSize = SRTP_PROFILES['aead-aes-128-gcm'].tagSize;
  readonly #keys: SessionKeys;
  readonly #isRtcp: boolean;
  readonly #iv = Buffer.alloc(12);

  constructor(keys: SessionKeys, kind: 'rtp' | 'rtcp') {
    this.#keys = keys;
    this.#isRtcp = kind === 'rtcp';
  }

  seal(body: Buffer, clear: number, ssrc: number, index: number, into: Buffer): void {
    const cipher = createCipheriv('aes-128-gcm', this.#keys.cipher, this.#nonce(ssrc, index));
    cipher.setAAD(this.#associated(into, clear, index));
    cipher.update(body).copy(into, clear);
    cipher.final();
    cipher.getAuthTag().copy(into, clear + body.length);
  }

  open(packet: Buffer, clear: number, ssrc: number, index: number): Buffer | undefined {
    const end = packet.length - this.tagSize;
    if (end < clear) return undefined;
    const decipher = createDecipheriv('aes-128-gcm', this.#keys.cipher, this.#nonce(ssrc, index), {
      authTagLength: this.tagSize,
    });
    decipher.setAAD(this.#associated(packet, clear, index));
    decipher.setAuthTag(packet.subarray(end));
    try {
      const body = decipher.update(packet.subarray(clear, end));
      decipher.final();
      return Buffer.concat([packet.subarray(0, clear), body]);
    } catch {
      return undefined;
    }
  }

  /** The header, and for RTCP the word that goes behind the packet (RFC 7714 section 9.2). */
  #associated(packet: Buffer, clear: number, index: number): Buffer {
    const header = packet.subarray(0, clear);
    return this.#isRtcp ? Buffer.concat([header, trailer(index)]) : header;
  }

  /** RFC 7714 sections 8.1 and 9.1: both put the index into the last 6 bytes. */
  #nonce(ssrc: number, index: number): Buffer {
    const iv = this.#iv;
    iv.fill(0, 0, 2);
    iv.writeUInt32BE(ssrc, 2);
    iv.writeUIntBE(index, 6, 6);
    for (let i = 0; i < 12; i++) iv[i] = (iv[i] ?? 0) ^ (this.#keys.salt[i] ?? 0);
    return iv;
  }
}

/** AES_CM_128_HMAC_SHA1_80 (RFC 3711 section 4). */
class CounterCipher implements PacketCipher {
  readonly tagSize = SRTP_PROFILES['aes128-cm-sha1-80'].tagSize;
  readonly #keys: SessionKeys;
  readonly #isRtcp: boolean;
  readonly #iv = Buffer.alloc(16);

  constructor(keys: SessionKeys, kind: 'rtp' | 'rtcp') {
    this.#keys = keys;
    this.#isRtcp = kind === 'rtcp';
  }

  seal(body: Buffer, clear: number, ssrc: number, index: number, into: Buffer): void {
    this.#crypt(body, ssrc, index).copy(into, clear);
    const end = clear + body.length;
    this.#tag(into.subarray(0, end), index).copy(into, end, 0, this.tagSize);
  }

  open(packet: Buffer, clear: number, ssrc: number, index: number): Buffer | undefined {
    const end = packet.length - this.tagSize;
    if (end < clear) return undefined;
    const tag = this.#tag(packet.subarray(0, end), index).subarray(0, this.tagSize);
    if (!timingSafeEqual(tag, packet.subarray(end))) return undefined;
    const body = this.#crypt(packet.subarray(clear, end), ssrc, index);
    return Buffer.concat([packet.subarray(0, clear), body]);
  }

  #crypt(body: Buffer, ssrc: number, index: number): Buffer {
    const iv = this.#iv;
    iv.fill(0);
    iv.writeUInt32BE(ssrc, 4);
    iv.writeUIntBE(index, 8, 6);
    for (let i = 0; i < 14; i++) iv[i] = (iv[i] ?? 0) ^ (this.#keys.salt[i] ?? 0);
    return createCipheriv('aes-128-ctr', this.#keys.cipher, iv).update(body);
  }

  /** Over the packet and the rollover counter; for RTCP over the word behind the packet (RFC 3711 section 4.2). */
  #tag(packet: Buffer, index: number): Buffer {
    const roc = Buffer.allocUnsafe(4);
    roc.writeUInt32BE(Math.floor(index / 65_536));
    const last = this.#isRtcp ? trailer(index) : roc;
    return createHmac('sha1', this.#keys.authentication).update(packet).update(last).digest();
  }
}
