import { RtspClient } from '#protocols/rtsp/client.ts';
import { type RtspRequest, serializeInterleaved } from '#protocols/rtsp/message.ts';
import { RtspParser } from '#protocols/rtsp/parser.ts';
import { VirtualClock } from '#util/clock.ts';
import type { NamedError } from '#util/named-error.ts';

export const SDP = 'v=0';
type Answer = string | Buffer | undefined;

/** A client and a server that says what the test scripts, on virtual time. */
export function talk(
  answer: (request: RtspRequest, n: number) => Answer,
  options: {
    url?: string;
    tracks?: string[];
    control?: string;
    redirects?: boolean;
    ports?: [number, number][];
    firstMediaMs?: number;
  } = {},
) {
  const clock = new VirtualClock();
  const asked: RtspRequest[] = [];
  const outcome: {
    sdp?: string;
    base?: string;
    error?: NamedError;
    refused?: readonly number[];
    redirected?: string;
    udp: unknown[];
    datagrams: string[];
    playing: boolean;
    packets: string[];
  } = { playing: false, packets: [], udp: [], datagrams: [] };
  const parser = new RtspParser();
  const client = new RtspClient(
    options.url ?? 'rtsp://cam/live',
    {
      send(bytes) {
        parser.push(bytes);
        for (let message = parser.next(); message; message = parser.next()) {
          if (message.kind !== 'request') continue;
          asked.push(message);
          const reply = answer(message, asked.length);
          if (reply === undefined) continue;
          const cseq = `CSeq: ${message.headers.get('cseq')}`;
          queue.push(
            typeof reply === 'string'
              ? Buffer.from(reply.replaceAll('\n', '\r\n').replace('CSEQ', cseq))
              : reply,
          );
        }
      },
      described(sdp, base) {
        outcome.sdp = sdp;
        outcome.base = base;
        client.play({
          baseUrl: base,
          control: options.control ?? '*',
          tracks: options.tracks ?? ['trackID=0'],
          ports: options.ports,
        });
      },
      udp: (track, ports) => void outcome.udp.push([track, ports]),
      sendDatagram: (track, packet) => void outcome.datagrams.push(`${track} ${packet.toString()}`),
      ready: (refused) => {
        outcome.refused = refused;
      },
      playing: () => {
        outcome.playing = true;
      },
      packet: (track, kind, payload) => void outcome.packets.push(`${track} ${kind} ${payload.toString()}`),
      failed: (error) => {
        outcome.error = error;
      },
      ...(options.redirects && {
        redirected: (url: string) => {
          outcome.redirected = url;
        },
      }),
    },
    { clock, ...(options.firstMediaMs !== undefined && { firstMediaMs: options.firstMediaMs }) },
  );
  const queue: Buffer[] = [];
  const run = () => {
    for (let bytes = queue.shift(); bytes; bytes = queue.shift()) client.receive(bytes);
  };
  client.start();
  run();
  const media = (channel = 0) => client.receive(serializeInterleaved(channel, Buffer.from('x')));
  /** Time passes with a packet every second. */
  const play = (seconds: number) => {
    for (let second = 0; second < seconds; second++) {
      clock.advance(1000);
      run();
      media();
    }
  };
  const lines = () => asked.map(({ method, uri }) => `${method} ${uri}`);
  return { clock, client, asked, lines, outcome, run, media, play };
}

/** What a well-behaved server answers. */
export function good({ method }: RtspRequest): string {
  switch (method) {
    case 'OPTIONS':
      return 'RTSP/1.0 200 OK\nCSEQ\nPublic: OPTIONS, DESCRIBE, SETUP, PLAY, GET_PARAMETER\n\n';
    case 'DESCRIBE':
      return `RTSP/1.0 200 OK\nCSEQ\nContent-Base: rtsp://cam/live/\nContent-Length: 3\n\n${SDP}`;
    case 'SETUP':
      return 'RTSP/1.0 200 OK\nCSEQ\nSession: abc;timeout=60\nTransport: RTP/AVP/TCP;interleaved=0-1\n\n';
    default:
      return 'RTSP/1.0 200 OK\nCSEQ\nSession: abc\n\n';
  }
}

/** The same, with other words for some methods. */
export function except(others: Record<string, Answer>): (request: RtspRequest) => Answer {
  return (request) => (request.method in others ? others[request.method] : good(request));
}
