import type { Config } from './schema.ts';

/** Ports that one key takes: so many from the first one on. */
interface Taken {
  readonly key: readonly [string, string];
  readonly first: number;
  readonly count?: number;
}

/**
 * Two keys that name one port; undefined where each has its own. Ports that are closed, or chosen by the system, are
 * nobody's.
 * @returns the keys in the order of the reference, and a sentence about them
 */
export function findCollision(
  config: Config,
): { readonly keys: readonly (readonly [string, string])[]; readonly sentence: string } | undefined {
  for (const [protocol, taken] of [
    ['TCP', tcpPorts(config)],
    ['UDP', udpPorts(config)],
  ] as const) {
    for (const [i, one] of taken.entries()) {
      const other = taken.slice(i + 1).find((later) => overlap(one, later));
      if (!other) continue;
      const sentence = `${describe(one)} and ${describe(other)} are one ${protocol} port, and each needs its own. Change one of them.`;
      return { keys: [one.key, other.key], sentence };
    }
  }
  return undefined;
}

function tcpPorts({ http, rtsp, rtmp, webrtc, tls }: Config): Taken[] {
  const secure = tls.cert !== '';
  return [
    { key: ['rtsp', 'port'], first: rtsp.port },
    ...(secure ? [{ key: ['rtsp', 'tlsPort'], first: rtsp.tlsPort } as const] : []),
    { key: ['rtmp', 'port'], first: rtmp.port },
    ...(secure ? [{ key: ['rtmp', 'tlsPort'], first: rtmp.tlsPort } as const] : []),
    { key: ['http', 'port'], first: http.port },
    ...(secure ? [{ key: ['http', 'tlsPort'], first: http.tlsPort } as const] : []),
    ...(webrtc.transports.includes('tcp') ? [{ key: ['webrtc', 'port'], first: webrtc.port } as const] : []),
  ];
}

/** Those of multicast are not ours: packets go there, and nobody listens here. */
function udpPorts({ rtsp, webrtc }: Config): Taken[] {
  const { udpPort } = rtsp;
  // Where it may be another one, a warning says what became of it.
  const isFixed = rtsp.transports.includes('udp') && udpPort !== 'auto';
  return [
    ...(isFixed ? [{ key: ['rtsp', 'udpPort'], first: udpPort, count: 2 } as const] : []),
    ...(webrtc.transports.includes('udp') ? [{ key: ['webrtc', 'port'], first: webrtc.port } as const] : []),
  ];
}

function overlap(a: Taken, b: Taken): boolean {
  if (a.first === 0 || b.first === 0) return false;
  return a.first < b.first + (b.count ?? 1) && b.first < a.first + (a.count ?? 1);
}

function describe({ key, first, count = 1 }: Taken): string {
  return `"${key.join('.')}" (${first}${count > 1 ? ` and ${first + count - 1}` : ''})`;
}
