import { BlockList, isIPv6 } from 'node:net';
import { NamedError } from '#util/named-error.ts';

const DEFAULT_PORT = 554;

/** Where an `rtsp://` address leads. */
export interface RtspTarget {
  readonly host: string;
  readonly port: number;
}

/** @throws NamedError RTSP_ADDRESS_INVALID */
export function parseTarget(url: string): RtspTarget {
  const match = /^rtsp:\/\/(?:[^/?#]*@)?(\[[^\]]+\]|[^:/?#]+)(?::(\d{1,5}))?(?:[/?#]|$)/i.exec(url);
  const port = Number(match?.[2] ?? DEFAULT_PORT);
  if (!match || port < 1 || port > 65_535) {
    throw new NamedError(
      'RTSP_ADDRESS_INVALID',
      'The address is no RTSP address such as rtsp://host:554/stream; in a user or a password, characters such as / and @ are written %2F and %40.',
    );
  }
  return { host: (match[1] ?? '').replace(/^\[|\]$/g, ''), port };
}

const inner = new BlockList();
inner.addSubnet('0.0.0.0', 8);
inner.addSubnet('127.0.0.0', 8);
inner.addSubnet('169.254.0.0', 16);
inner.addAddress('::', 'ipv6');
inner.addAddress('::1', 'ipv6');
inner.addSubnet('fe80::', 10, 'ipv6');

/** Whether an address is loopback or link-local: places that only this machine, or its own cable, reaches. */
export function isInner(address: string): boolean {
  const plain = address.replace(/%.*$/, '').replace(/^::ffff:(?=\d+\.)/i, '');
  return inner.check(plain, isIPv6(plain) ? 'ipv6' : 'ipv4');
}
