import { describe, expect, it } from 'vitest';
import {
  buildStun,
  errorCode,
  hasIntegrity,
  parseStun,
  STUN,
  STUN_BINDING,
  stunKey,
  xorMappedAddress,
} from './message.ts';

/** RFC 5769 section 2.1: a request with the password below. */
const REQUEST = Buffer.from(
  '000100582112a442b7e7a701bc34d686fa87dfae802200105354554e207465737420636c69656e74002400046e0001ff' +
    '80290008932ff9b151263b36000600096576746a3a68367659202020000800149aeaa70cbfd8cb56781ef2b5b2d3f249' +
    'c1b571a280280004e57a3bcf',
  'hex',
);
const PASSWORD = 'VOkJxbRl1RmTxUk/WvJxBt';
/** RFC 5769 sections 2.2 and 2.3: answers over IPv4 and IPv6. */
const ANSWERS = [
  {
    address: '192.0.2.1',
    bytes:
      '0101003c2112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220002000080001a147e112a643' +
      '000800142b91f599fd9e90c38c7489f92af9ba53f06be7d780280004c07d4c96',
  },
  {
    address: '2001:db8:1234:5678:11:2233:4455:6677',
    bytes:
      '010100482112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220002000140002a147' +
      '0113a9faa5d3f179bc25f4b5bed2b9d900080014a382954e4be67bf11784c97c8292c275bfe3ed4180280004c8fb0b4c',
  },
];

describe('a STUN message', () => {
  it('is read as in RFC 5769, its integrity and its fingerprint checked', () => {
    const message = parseStun(REQUEST);
    expect(message).toMatchObject({ class: 'request', method: STUN_BINDING });
    expect(message?.attributes.get(STUN.username)?.toString()).toBe('evtj:h6vY');
    expect(message && hasIntegrity(message, stunKey(PASSWORD))).toBe(true);
    expect(message && hasIntegrity(message, stunKey(`${PASSWORD}.`))).toBe(false);
  });

  it('is not taken with a wrong fingerprint, a wrong cookie or a wrong length', () => {
    for (const at of [REQUEST.length - 1, 4, 3, 30]) {
      const broken = Buffer.from(REQUEST);
      broken[at] = (broken[at] ?? 0) ^ 0x10;
      expect(parseStun(broken)).toBeUndefined();
    }
    expect(parseStun(REQUEST.subarray(0, -4))).toBeUndefined();
  });

  it.each(ANSWERS)('gives the address $address as RFC 5769 writes it', ({ address, bytes }) => {
    const answer = parseStun(Buffer.from(bytes, 'hex'));
    const { value } = xorMappedAddress(address, 32853, answer?.transaction ?? Buffer.alloc(12));
    expect(answer?.attributes.get(STUN.xorMappedAddress)).toEqual(value);
    expect(answer && hasIntegrity(answer, stunKey(PASSWORD))).toBe(true);
  });

  it('is read as it was built', () => {
    const key = stunKey('secret');
    const transaction = Buffer.from('0123456789ab');
    const built = buildStun({
      class: 'error',
      transaction,
      attributes: [errorCode(487, 'Role Conflict')],
      key,
    });
    const message = parseStun(built);
    expect(message).toMatchObject({ class: 'error', method: STUN_BINDING, transaction });
    expect(message && hasIntegrity(message, key)).toBe(true);
    expect(message?.attributes.get(STUN.errorCode)?.subarray(2, 4)).toEqual(Buffer.from([4, 87]));
  });

  it('is not believed where what was signed was changed', () => {
    const key = stunKey('secret');
    const built = buildStun({
      class: 'request',
      transaction: Buffer.alloc(12),
      attributes: [{ type: STUN.useCandidate, value: Buffer.alloc(0) }],
      key,
    });
    built[21] = 0x24;
    // The fingerprint protects nothing, whoever changes a message can make a new one: it is taken off here.
    const message = parseStun(built.subarray(0, -8).fill(built.length - 28, 3, 4));
    expect(message && hasIntegrity(message, key)).toBe(false);
  });
});
