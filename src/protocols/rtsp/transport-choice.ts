import { Refusal } from './refusal.ts';
import { parseTransport, type TransportOption } from './transport.ts';

/** How a server takes and gives media. */
export interface ServerTransports {
  /** Inside the connection. */
  readonly tcp: boolean;
  /** UDP ports of RTP and RTCP; undefined where UDP is off. */
  readonly udp: readonly [number, number] | undefined;
  /** To groups, for readers. */
  readonly multicast?: boolean;
}

const TCP_OFFER = 'RTP/AVP/TCP;unicast;interleaved=0-1';
const UDP_OFFER = 'RTP/AVP;unicast;client_port=5000-5001';

/**
 * The first choice of the client that the server can serve; otherwise 461 with what it could ask for.
 * @param publishes nobody publishes to a group
 */
export function chooseTransport(
  header: string | undefined,
  offered: ServerTransports,
  publishes = false,
): TransportOption {
  const offer = offered.tcp
    ? `Ask for RTP over TCP (Transport: ${TCP_OFFER})`
    : `Ask for RTP over UDP (Transport: ${UDP_OFFER})`;
  if (header === undefined) throw new Refusal(400, `SETUP has no Transport header. ${offer}.`);
  const option = parseTransport(header).find(({ profile, lower, multicast, mode, clientPorts }) => {
    if (!/^RTP\/AVPF?$/.test(profile)) return false;
    if (multicast) return offered.multicast === true && mode === 'play' && !publishes;
    return lower === 'TCP' ? offered.tcp : offered.udp !== undefined && clientPorts !== undefined;
  });
  if (option) return option;
  throw new Refusal(
    461,
    `The transport "${header}" is not supported. ${offer}; in ffmpeg: -rtsp_transport ${offered.tcp ? 'tcp' : 'udp'}.`,
    [['Transport', offered.tcp ? TCP_OFFER : UDP_OFFER]],
  );
}
