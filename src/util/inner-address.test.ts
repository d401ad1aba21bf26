import { describe, expect, it } from 'vitest';
import { innerPlace } from './inner-address.ts';

describe('an address of this machine, its cable or its cloud', () => {
  it.each([
    ['127.0.0.1', 'this machine'],
    ['127.9.9.9', 'this machine'],
    ['0.0.0.0', 'this machine'],
    ['0.1.2.3', 'this machine'],
    ['::1', 'this machine'],
    ['::', 'this machine'],
    ['169.254.1.1', 'a link-local address'],
    ['255.255.255.255', 'a link-local address'],
    ['fe80::1%eth0', 'a link-local address'],
    ['169.254.169.254', 'a metadata service'],
    ['fd00:ec2::254', 'a metadata service'],
    ['100.100.100.200', 'a metadata service'],
    ['239.1.2.3', 'a multicast group'],
    ['ff02::1', 'a multicast group'],
  ])('is told: %s is %s', (address, place) => {
    expect(innerPlace(address)).toBe(place);
  });

  it.each([
    '::ffff:127.0.0.1',
    '::ffff:7f00:1',
    '0:0:0:0:0:ffff:7f00:0001',
    '::127.0.0.1',
    '::ffff:0:127.0.0.1',
    '64:ff9b::127.0.0.1',
    '64:ff9b:1::7f00:1',
    '2002:7f00:1::',
  ])('is told in the clothes of IPv6 too: %s', (address) => {
    expect(innerPlace(address)).toBe('this machine');
  });

  it('is none of a private network or the world', () => {
    for (const one of [
      '10.0.0.1',
      '172.16.4.4',
      '192.168.1.1',
      '100.64.0.1',
      '8.8.8.8',
      'fd12:3456::1',
      '2001:db8::1',
      '::ffff:192.168.1.1',
      '64:ff9b::8.8.8.8',
      '2002:0808:0808::1',
    ])
      expect(innerPlace(one), one).toBeUndefined();
  });

  it('is what is no address at all, because nobody knows where it leads', () => {
    for (const one of ['', 'localhost', '1.2.3', '2130706433']) expect(innerPlace(one)).toBe('this machine');
  });
});
