import { createSocket, type Socket } from 'node:dgram';
import { isIPv6 } from 'node:net';

/** How often a free pair of neighbouring ports is sought. */
const ATTEMPTS = 20;

/** Two UDP sockets on neighbouring ports, the first one even, as RTP and RTCP want them (RFC 3550 section 11). */
export type UdpPair = readonly [Socket, Socket];

/**
 * Binds a pair on `host`, an address (not a name). `port` is even, or 0 for any free pair. Destinations must be
 * addresses too. Rejects with the system's error; its `port` is the one that was not to be had.
 */
export async function bindUdpPair(host: string, port: number): Promise<UdpPair> {
  for (let i = 1; ; i++) {
    const first = await bind(host, port);
    const number = first.address().port;
    try {
      if (number % 2 === 0) return [first, await bind(host, number + 1)];
      await closeUdp(first);
    } catch (error) {
      await closeUdp(first);
      if (port !== 0 || i >= ATTEMPTS) throw error;
    }
  }
}

export function closeUdp(socket: Socket): Promise<void> {
  return new Promise((resolve) => socket.close(() => resolve()));
}

function bind(host: string, port: number): Promise<Socket> {
  const type = isIPv6(host) ? 'udp6' : 'udp4';
  // Destinations are addresses always; asking the resolver costs 2 µs for each packet.
  const socket = createSocket({
    type,
    lookup: (name, _options, callback) => callback(null, name, type === 'udp6' ? 6 : 4),
  });
  return new Promise((resolve, reject) => {
    socket.once('error', (error) => {
      socket.close();
      reject(error);
    });
    socket.bind({ address: host, port }, () => {
      socket.removeAllListeners('error');
      resolve(socket);
    });
  });
}
