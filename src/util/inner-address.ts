import { BlockList, isIP } from 'node:net';

/** Places that are nobody's business who gives an address over the network: this machine, its cable, and its cloud. */
export type InnerPlace = 'this machine' | 'a link-local address' | 'a metadata service' | 'a multicast group';

type Subnet = readonly [string, number];

/**
 * The first that holds an address counts. Metadata services of clouds give out credentials to whoever can ask them from
 * inside: AWS, Azure, Google and others at 169.254.169.254, AWS over IPv6, Alibaba, Oracle, Azure's wire server.
 */
const PLACES: readonly (readonly [InnerPlace, BlockList])[] = [
  ['a metadata service', subnets(['169.254.169.254', 32], ['100.100.100.200', 32], ['192.0.0.192', 32])],
  ['a metadata service', subnets(['168.63.129.16', 32], ['fd00:ec2::', 32])],
  ['this machine', subnets(['127.0.0.0', 8], ['0.0.0.0', 8], ['::', 128], ['::1', 128])],
  // Broadcast reaches the cable too; site-local IPv6 (RFC 3879) is what private addresses once were.
  ['a link-local address', subnets(['169.254.0.0', 16], ['255.255.255.255', 32], ['fe80::', 10])],
  ['a multicast group', subnets(['224.0.0.0', 4], ['ff00::', 8])],
];

/**
 * What kind of place an IP address is that only this machine, its cable or its cloud reaches; undefined for all others,
 * private networks (RFC 1918, RFC 4193) among them. An IPv4 address in the clothes of IPv6 (mapped and compatible,
 * RFC 4291; NAT64, RFC 6052; 6to4, RFC 3056) is judged as what it leads to.
 * @param address as a socket or a look-up gives it, with a zone or without
 */
export function innerPlace(address: string): InnerPlace | undefined {
  const plain = address.replace(/%.*$/, '');
  const family = isIP(plain);
  // Whoever asks has an address; what is none leads nowhere that we know.
  if (family === 0) return 'this machine';
  const inside = family === 6 ? embeddedIPv4(plain) : plain;
  const [address4, address6] = [inside, family === 6 ? plain : undefined];
  for (const [place, list] of PLACES) {
    if (address6 !== undefined && list.check(address6, 'ipv6')) return place;
    if (address4 !== undefined && list.check(address4, 'ipv4')) return place;
  }
  return undefined;
}

function subnets(...all: readonly Subnet[]): BlockList {
  const list = new BlockList();
  for (const [net, prefix] of all) list.addSubnet(net, prefix, net.includes(':') ? 'ipv6' : 'ipv4');
  return list;
}

/** The IPv4 address that an IPv6 address carries; undefined where it carries none. */
function embeddedIPv4(address: string): string | undefined {
  const words = ipv6Words(address);
  const zero = (from: number, to: number) => words.slice(from, to).every((word) => word === 0);
  const at = (index: number) => dotted(words[index] ?? 0, words[index + 1] ?? 0);
  if (zero(0, 5) && (words[5] === 0xffff || words[5] === 0)) return at(6);
  // Translated by SIIT (RFC 2765), and by NAT64 under its well-known and its local prefix (RFC 8215).
  if (zero(0, 4) && words[4] === 0xffff && words[5] === 0) return at(6);
  if (words[0] === 0x64 && words[1] === 0xff9b && (zero(2, 6) || words[2] === 1)) return at(6);
  if (words[0] === 0x2002) return at(1);
  return undefined;
}

/** The eight 16-bit words of an address that `isIP` takes for IPv6. */
function ipv6Words(address: string): number[] {
  const tail = /^(.*:)(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(address);
  const text = tail
    ? `${tail[1]}${word(tail[2], tail[3]).toString(16)}:${word(tail[4], tail[5]).toString(16)}`
    : address;
  const [head = '', rest] = text.split('::');
  const parse = (part: string | undefined) =>
    part ? part.split(':').map((digits) => Number.parseInt(digits, 16)) : [];
  const [front, back] = [parse(head), parse(rest)];
  return rest === undefined
    ? front
    : [...front, ...Array<number>(8 - front.length - back.length).fill(0), ...back];
}

function word(high: string | undefined, low: string | undefined): number {
  return Number(high) * 256 + Number(low);
}

function dotted(high: number, low: number): string {
  return [high >> 8, high & 0xff, low >> 8, low & 0xff].join('.');
}
