import type { Config } from '#config/schema.ts';
import { PORTS_PER_STREAM } from '#servers/rtsp/multicast.ts';
import type { RtspMedia } from '#servers/rtsp/server.ts';

/** How media may travel over RTSP, as the configuration says. */
export function rtspMedia({ rtsp: { transports, udpPort, reorderMs, multicast } }: Config): RtspMedia {
  const udp = transports.includes('udp') ? udpPort : undefined;
  const media = { tcp: transports.includes('tcp'), udpPort: udp, reorderMs };
  if (!transports.includes('multicast')) return media;
  const [first = '', bits = '32'] = multicast.addresses.split('/');
  const { port, ttl } = multicast;
  const ports = Math.floor((65_536 - port) / PORTS_PER_STREAM);
  const count = Math.min(2 ** (32 - Number(bits)), ports);
  return { ...media, multicast: { first, count, port, ttl } };
}
