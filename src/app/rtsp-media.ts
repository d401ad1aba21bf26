import type { Config } from '#config/schema.ts';
import type { RtspMedia } from '#servers/rtsp/server.ts';

/** How media may travel over RTSP, as the configuration says. */
export function rtspMedia({ rtsp: { transports, udpPort, reorderMs } }: Config): RtspMedia {
  const udp = transports.includes('udp') ? udpPort : undefined;
  return { tcp: transports.includes('tcp'), udpPort: udp, reorderMs };
}
