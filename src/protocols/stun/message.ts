import { createHmac, createSecretKey, type KeyObject, timingSafeEqual } from 'node:crypto';
import { isIPv6 } from 'node:net';
import { crc32 } from 'node:zlib';

/** STUN (RFC 8489) as far as connectivity checks of ICE need it. */

export const STUN_BINDING = 0x001;

/** Attribute types (RFC 8489 section 18.3, RFC 8445 section 16.1). */
export const STUN = {
  username: 0x0006,
  messageIntegrity: 0x0008,
  errorCode: 0x0009,
  xorMappedAddress: 0x0020,
  priority: 0x0024,
  useCandidate: 0x0025,
  fingerprint: 0x8028,
  iceControlled: 0x8029,
  iceControlling: 0x802a,
} as const;

export type StunClass = 'request' | 'indication' | 'success' | 'error';

export interface StunMessage {
  readonly class: StunClass;
  readonly method: number;
  /** 12 bytes. */
  readonly transaction: Buffer;
  /** First value of each attribute; what follows MESSAGE-INTEGRITY does not count (RFC 8489 section 14.5). */
  readonly attributes: ReadonlyMap<number, Buffer>;
  /** The whole message, and where MESSAGE-INTEGRITY stands in it. */
  readonly bytes: Buffer;
  readonly integrityAt: number | undefined;
}

const MAGIC_COOKIE = 0x2112a442;
const HEADER_SIZE = 20;
const INTEGRITY_SIZE = 24;
const FINGERPRINT_SIZE = 8;
const FINGERPRINT_MASK = 0x5354554e;
const CLASSES = ['request', 'indication', 'success', 'error'] as const;

/** Reads one datagram; undefined when it is no STUN message, or its FINGERPRINT is wrong. Never throws. */
export function parseStun(bytes: Buffer): StunMessage | undefined {
  if (bytes.length < HEADER_SIZE || bytes.length % 4 !== 0) return undefined;
  const type = bytes.readUInt16BE(0);
  if (type >> 14 !== 0 || bytes.readUInt32BE(4) !== MAGIC_COOKIE) return undefined;
  if (bytes.readUInt16BE(2) + HEADER_SIZE !== bytes.length) return undefined;
  const attributes = new Map<number, Buffer>();
  let integrityAt: number | undefined;
  for (let at = HEADER_SIZE; at < bytes.length; ) {
    const name = bytes.readUInt16BE(at);
    const size = bytes.readUInt16BE(at + 2);
    const end = at + 4 + size;
    if (end > bytes.length) return undefined;
    const value = bytes.subarray(at + 4, end);
    if (name === STUN.fingerprint) {
      if (size !== 4 || value.readUInt32BE(0) !== fingerprint(bytes.subarray(0, at))) return undefined;
    } else if (integrityAt === undefined) {
      if (name === STUN.messageIntegrity) integrityAt = at;
      if (!attributes.has(name)) attributes.set(name, value);
    }
    at = (end + 3) & ~3;
  }
  return {
    class: CLASSES[((type >> 7) & 2) | ((type >> 4) & 1)] as StunClass,
    method: (type & 0xf) | ((type >> 1) & 0x70) | ((type >> 2) & 0xf80),
    transaction: bytes.subarray(8, HEADER_SIZE),
    attributes,
    bytes,
    integrityAt,
  };
}

/** The key of short-term credentials (RFC 8489 section 9.1.1): the password itself. */
export function stunKey(password: string): KeyObject {
  return createSecretKey(Buffer.from(password, 'utf8'));
}

/** True when the message was made by somebody who knows the key. */
export function hasIntegrity({ bytes, integrityAt, attributes }: StunMessage, key: KeyObject): boolean {
  const given = attributes.get(STUN.messageIntegrity);
  if (integrityAt === undefined || given?.length !== 20) return false;
  return timingSafeEqual(given, integrity(bytes.subarray(0, integrityAt), key));
}

export interface StunAttribute {
  readonly type: number;
  readonly value: Buffer;
}

/** A message with FINGERPRINT, and MESSAGE-INTEGRITY where there is a key. */
export function buildStun(options: {
  readonly class: StunClass;
  readonly method?: number;
  /** 12 bytes. */
  readonly transaction: Buffer;
  readonly attributes?: readonly StunAttribute[];
  readonly key?: KeyObject | undefined;
}): Buffer {
  const { method = STUN_BINDING, transaction, key } = options;
  const kind = CLASSES.indexOf(options.class);
  const header = Buffer.alloc(HEADER_SIZE);
  const bits = (method & 0xf) | ((method & 0x70) << 1) | ((method & 0xf80) << 2);
  header.writeUInt16BE(bits | ((kind & 1) << 4) | ((kind & 2) << 7), 0);
  header.writeUInt32BE(MAGIC_COOKIE, 4);
  transaction.copy(header, 8, 0, 12);
  const body = Buffer.concat([header, ...(options.attributes ?? []).map(writeAttribute)]);
  let message = body;
  if (key) message = Buffer.concat([body, attribute(STUN.messageIntegrity, integrity(body, key))]);
  message.writeUInt16BE(message.length - HEADER_SIZE + FINGERPRINT_SIZE, 2);
  const check = Buffer.alloc(4);
  check.writeUInt32BE(fingerprint(message));
  return Buffer.concat([message, attribute(STUN.fingerprint, check)]);
}

/** XOR-MAPPED-ADDRESS (RFC 8489 section 14.2); `address` is an IP address. */
export function xorMappedAddress(address: string, port: number, transaction: Buffer): StunAttribute {
  const ip = isIPv6(address) ? ipv6Bytes(address) : Buffer.from(address.split('.').map(Number));
  const value = Buffer.alloc(4 + ip.length);
  value[1] = ip.length === 4 ? 1 : 2;
  value.writeUInt16BE(port ^ (MAGIC_COOKIE >>> 16), 2);
  const mask = Buffer.alloc(16);
  mask.writeUInt32BE(MAGIC_COOKIE);
  transaction.copy(mask, 4, 0, 12);
  for (let i = 0; i < ip.length; i++) value[4 + i] = (ip[i] ?? 0) ^ (mask[i] ?? 0);
  return { type: STUN.xorMappedAddress, value };
}

/** ERROR-CODE (RFC 8489 section 14.8). */
export function errorCode(code: number, reason: string): StunAttribute {
  const head = Buffer.from([0, 0, Math.floor(code / 100), code % 100]);
  return { type: STUN.errorCode, value: Buffer.concat([head, Buffer.from(reason, 'utf8')]) };
}

function ipv6Bytes(address: string): Buffer {
  const [left = '', right] = (address.split('%')[0] ?? '').split('::');
  const words = (text: string) =>
    text.split(':').flatMap((word) => {
      if (!word.includes('.')) return word === '' ? [] : [Number.parseInt(word, 16)];
      const [a = 0, b = 0, c = 0, d = 0] = word.split('.').map(Number);
      return [(a << 8) | b, (c << 8) | d];
    });
  const head = words(left);
  const tail = right === undefined ? [] : words(right);
  const bytes = Buffer.alloc(16);
  head.slice(0, 8).forEach((word, i) => bytes.writeUInt16BE(word & 0xffff, i * 2));
  tail.slice(0, 8).forEach((word, i) => bytes.writeUInt16BE(word & 0xffff, 16 - (tail.length - i) * 2));
  return bytes;
}

/** HMAC-SHA1 of what stands before, with the length as if the message ended with this attribute. */
function integrity(before: Buffer, key: KeyObject): Buffer {
  const head = Buffer.from(before.subarray(0, HEADER_SIZE));
  head.writeUInt16BE(before.length - HEADER_SIZE + INTEGRITY_SIZE, 2);
  return createHmac('sha1', key).update(head).update(before.subarray(HEADER_SIZE)).digest();
}

/** The message's length already counts the fingerprint. */
function fingerprint(before: Buffer): number {
  return (crc32(before) ^ FINGERPRINT_MASK) >>> 0;
}

function writeAttribute({ type, value }: StunAttribute): Buffer {
  return attribute(type, value);
}

function attribute(type: number, value: Buffer): Buffer {
  const bytes = Buffer.alloc(4 + ((value.length + 3) & ~3));
  bytes.writeUInt16BE(type, 0);
  bytes.writeUInt16BE(value.length, 2);
  value.copy(bytes, 4);
  return bytes;
}
