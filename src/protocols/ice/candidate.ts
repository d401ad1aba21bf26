import { isIP } from 'node:net';

/** A transport address that can be tried (RFC 8445 section 5.1), as far as a description names it. */
export interface IceCandidate {
  readonly address: string;
  readonly port: number;
  readonly protocol: 'udp' | 'tcp';
}

/** A candidate of the other side. */
export interface OfferedCandidate extends IceCandidate {
  readonly priority: number;
  /** Over TCP: who opens the connection (RFC 6544 section 4.1); empty over UDP. */
  readonly tcpType: string;
}

/** Type preferences (RFC 8445 section 5.1.2.2): TCP only where UDP does not get through. */
const UDP_HOST = 126;
const TCP_HOST = 90;
/** Direction preference of a passive candidate, shifted to its place (RFC 6544 section 4.2). */
const PASSIVE = 4 << 13;
const COMPONENT = 1;

/** The priority of our `index`-th host candidate of a protocol (RFC 8445 section 5.1.2.1). */
function hostPriority(protocol: 'udp' | 'tcp', index: number): number {
  const local = protocol === 'udp' ? 65_535 - index : PASSIVE + 8191 - index;
  return (protocol === 'udp' ? UDP_HOST : TCP_HOST) * 2 ** 24 + local * 256 + (256 - COMPONENT);
}

/** `a=candidate` lines of our host candidates; those over TCP wait for a connection. */
export function candidateLines(candidates: readonly IceCandidate[]): string[] {
  return candidates.map(({ address, port, protocol }, i) => {
    const end = protocol === 'tcp' ? ' tcptype passive' : '';
    return `a=candidate:${i + 1} ${COMPONENT} ${protocol} ${hostPriority(protocol, i)} ${address} ${port} typ host${end}`;
  });
}

/** Reads the value of `a=candidate`; undefined for names (mDNS) and for what is no candidate. Never throws. */
export function parseCandidate(value: string): OfferedCandidate | undefined {
  const [, component, transport, priority, address = '', port, , , ...more] = value.trim().split(/\s+/);
  const protocol = transport?.toLowerCase();
  const number = Number(port);
  if (component !== `${COMPONENT}` || (protocol !== 'udp' && protocol !== 'tcp')) return undefined;
  if (isIP(address) === 0 || !(Number.isInteger(number) && number > 0 && number < 65_536)) return undefined;
  const at = more.indexOf('tcptype');
  return {
    address,
    port: number,
    protocol,
    priority: Number(priority) || 0,
    tcpType: at < 0 ? '' : (more[at + 1] ?? ''),
  };
}
