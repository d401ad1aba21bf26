import { RtspClient } from '#protocols/rtsp/client.ts';
import { RtspPublishingClient } from '#protocols/rtsp/publishing-client.ts';
import { VirtualClock } from '#util/clock.ts';
import { madeUpClip } from '../support/fault-camera/clip.ts';
import type { ServerFaults } from '../support/fault-camera/options.ts';
import { FaultServerCore } from '../support/fault-camera/server-core.ts';
import type { FuzzTarget } from './run.ts';

/** A client that plays whatever is described, and what it asks. */
function playing(send: (bytes: Buffer) => void): { client: RtspClient; clock: VirtualClock } {
  const clock = new VirtualClock();
  const client: RtspClient = new RtspClient(
    'rtsp://ann:secret@camera/live',
    {
      send,
      described: (_sdp, baseUrl) =>
        client.play({ baseUrl, control: '*', tracks: ['trackID=0', 'trackID=1'] }),
      packet() {},
      failed() {},
    },
    { clock },
  );
  return { client, clock };
}

/** What a camera answers and sends in 200 ms of media. */
async function answered(server: ServerFaults): Promise<Buffer> {
  const sent: Buffer[] = [];
  const waiting: Buffer[] = [];
  const { client } = playing((bytes) => void waiting.push(bytes));
  const core = new FaultServerCore(
    { clip: madeUpClip({ gop: 5 }), server, fate: { endAtMs: 200 } },
    { send: (bytes) => void sent.push(bytes), sendPacket() {}, reset() {}, end() {} },
  );
  client.start();
  for (let heard = 0; waiting.length > 0 || heard < sent.length; ) {
    for (const bytes of waiting.splice(0)) core.receive(bytes);
    for (; heard < sent.length; heard++) client.receive(sent[heard] ?? Buffer.alloc(0));
  }
  core.advance(1000);
  client.close();
  return Buffer.concat(sent);
}

/** Answers of cameras to a client. */
export const clientTarget: FuzzTarget = {
  name: 'RTSP answers',
  seeds: () =>
    Promise.all([
      answered({}),
      answered({ auth: { scheme: 'digest-md5', user: 'ann', password: 'secret', staleAfter: 2 } }),
      answered({ auth: { scheme: 'basic', user: 'ann', password: 'secret' }, junkEvery: 3 }),
    ]),
  open: () => ({
    take(input) {
      let asked = 0;
      const { client, clock } = playing(() => void asked++);
      client.start();
      const third = Math.ceil(input.length / 3);
      for (let at = 0; at < input.length; at += third) client.receive(input.subarray(at, at + third));
      clock.advance(60_000);
      client.close();
      if (asked > 100 + input.length) throw new Error(`The client asked ${asked} times.`);
      if (clock.pending > 0) throw new Error('The client left a timer.');
    },
  }),
};

/** What a server answers to a publisher, challenges included. */
const TAKEN = [
  'RTSP/1.0 200 OK\r\nCSeq: 1\r\nPublic: ANNOUNCE, SETUP, RECORD, GET_PARAMETER\r\n\r\n',
  'RTSP/1.0 401 Unauthorized\r\nCSeq: 2\r\nWWW-Authenticate: Digest realm="r", nonce="n", qop="auth"\r\n\r\n',
  'RTSP/1.0 200 OK\r\nCSeq: 3\r\n\r\n',
  'RTSP/1.0 200 OK\r\nCSeq: 4\r\nSession: abc;timeout=10\r\nTransport: RTP/AVP/TCP;interleaved=4-5\r\n\r\n',
  'RTSP/1.0 200 OK\r\nCSeq: 5\r\nSession: abc\r\n\r\n',
  'RTSP/1.0 200 OK\r\nCSeq: 6\r\nSession: abc\r\n\r\n',
  '$\x05\x00\x08\x80\xc9\x00\x01\x00\x00\x00\x01',
  'OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n',
];

/** Answers of servers to a client that publishes. */
export const publishingTarget: FuzzTarget = {
  name: 'RTSP answers to a publisher',
  seeds: async () => [
    Buffer.from(TAKEN.join(''), 'latin1'),
    Buffer.from('RTSP/1.0 302 Moved\r\nCSeq: 1\r\nLocation: rtsp://other/\r\n\r\n'),
  ],
  open: () => ({
    take(input) {
      let asked = 0;
      const clock = new VirtualClock();
      const client = new RtspPublishingClient(
        'rtsp://ann:secret@server/live',
        { send: () => void asked++, recording() {}, rtcp() {}, failed() {} },
        { clock },
      );
      client.start({ sdp: 'v=0\r\n', tracks: ['trackID=0', 'trackID=1'] });
      const third = Math.ceil(input.length / 3);
      for (let at = 0; at < input.length; at += third) client.receive(input.subarray(at, at + third));
      clock.advance(60_000);
      client.close();
      if (asked > 100 + input.length) throw new Error(`The client asked ${asked} times.`);
      if (clock.pending > 0) throw new Error('The client left a timer.');
    },
  }),
};
