import type { RtspApplication } from '#protocols/rtsp/application.ts';
import { RtspParser } from '#protocols/rtsp/parser.ts';
import { RtspServerSession } from '#protocols/rtsp/server-session.ts';
import type { ServerTransports } from '#protocols/rtsp/transport-choice.ts';
import { VirtualClock } from '#util/clock.ts';
import { messageOf } from '#util/named-error.ts';

interface Reply {
  readonly status: number;
  readonly reason: string;
  readonly body: string;
  header(name: string): string | undefined;
}

/** A session over an application that notes what it is asked; single answers can be replaced. */
export function setUp(
  overrides: Partial<RtspApplication> = {},
  timeoutMs = 60_000,
  transports?: ServerTransports,
) {
  const calls: string[] = [];
  const clock = new VirtualClock();
  const replies: Reply[] = [];
  const parser = new RtspParser();
  const application: RtspApplication = {
    describe: ({ path }) => ({ sdp: 'v=0\r\n', name: path }),
    announce: (name) => void calls.push(`announce ${name}`),
    setupPlay: ({ name, track, channels }) =>
      void calls.push(`play-setup ${name} ${track} ${channels.join()}`),
    setupRecord: ({ name, track, channels }) =>
      void calls.push(`record-setup ${name} ${track} ${channels.join()}`),
    play: () => ({
      info: [{ track: 'trackID=0', sequence: 5, timestamp: 90_000 }],
      start: () => void calls.push(`start after ${replies.length} replies`),
    }),
    pause: () => void calls.push('pause'),
    record: () => void calls.push('record'),
    progress: () => 0,
    interleaved: (channel, payload) => void calls.push(`frame ${channel} ${payload.length}`),
    released: (reason) => void calls.push(`released: ${reason}`),
    disconnect: (reason) => void calls.push(`disconnect: ${reason}`),
    fault: (error) => void calls.push(`fault: ${messageOf(error)}`),
    ...overrides,
  };
  const session = new RtspServerSession({
    application,
    clock,
    id: 'S1',
    timeoutMs,
    ...(transports && { transports }),
    send(bytes) {
      parser.push(bytes);
      const message = parser.next();
      if (message?.kind !== 'response') throw new Error('The server sent something that is no response.');
      const { status, reason, headers, body } = message;
      replies.push({ status, reason, body: body.toString(), header: (name) => headers.get(name) });
    },
  });
  let cseq = 0;
  const say = (method: string, uri: string, headers: Record<string, string> = {}, body = '') => {
    const all = { CSeq: String(++cseq), ...(body && { 'Content-Length': String(body.length) }), ...headers };
    const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
    session.receive(Buffer.from(`${method} ${uri} RTSP/1.0\r\n${lines.join('')}\r\n${body}`));
  };
  const ask = async (...request: Parameters<typeof say>): Promise<Reply> => {
    say(...request);
    await new Promise((resolve) => setImmediate(resolve));
    const reply = replies.at(-1);
    if (!reply) throw new Error('There was no reply.');
    return reply;
  };
  return { session, clock, calls, replies, say, ask };
}

export const TCP = { Transport: 'RTP/AVP/TCP;unicast;interleaved=0-1' };
export const URL = 'rtsp://cam:8554/yard/gate';
