import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { RtpSequences } from '#feeds/rtp/rtp-sequences.ts';
import { Hub } from '#hub/hub.ts';
import { parseRtcp } from '#protocols/rtcp/packet.ts';
import { parseRtp } from '#protocols/rtp/packet.ts';
import type { InterleavedFrame, RtspRequest } from '#protocols/rtsp/message.ts';
import { RtspParser } from '#protocols/rtsp/parser.ts';
import { VirtualClock } from '#util/clock.ts';
import {
  aacTrack,
  h264Track,
  ntpOfZero,
  opusTrack,
  picture,
  sound,
} from '../../../test/support/fmp4-units.ts';
import { rtspForward } from './forward.ts';

/** Sockets are real; time is the test's. */
async function setUp() {
  const clock = new VirtualClock(ntpOfZero);
  const hub = new Hub({ clock, holdMs: 15_000 });
  const asked: RtspRequest[] = [];
  const frames: InterleavedFrame[] = [];
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket);
    const parser = new RtspParser();
    socket.on('error', () => {});
    socket.on('data', (bytes) => {
      parser.push(bytes);
      for (let message = parser.next(); message; message = parser.next()) {
        if (message.kind === 'interleaved') frames.push(message);
        if (message.kind !== 'request') continue;
        asked.push(message);
        socket.write(`RTSP/1.0 200 OK\r\nCSeq: ${message.headers.get('cseq')}\r\nSession: 1\r\n\r\n`);
      }
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  cleanUps.push(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const publish = (tracks = [h264Track, aacTrack]) =>
    hub.publish('yard', { id: 'p', door: 'test', remote: '' }, tracks, { onClose() {} });
  const publication = publish();
  const up = Promise.withResolvers<void>();
  const end = Promise.withResolvers<{ reason: string; code?: string }>();
  const url = `rtsp://127.0.0.1:${(server.address() as AddressInfo).port}/copy`;
  const open = rtspForward({ hub, sequences: new RtpSequences() });
  const forward = open(
    { stream: publication.stream, url, clock },
    { onUp: () => up.resolve(), onEnd: (one) => end.resolve(one) },
  );
  cleanUps.push(() => forward.close('The test is over.'));
  /** Resolves when so many frames have come. */
  const until = async (count: number) => {
    while (frames.length < count) await new Promise((resolve) => setTimeout(resolve, 5));
  };
  await up.promise;
  return { clock, hub, asked, frames, sockets, publication, publish, end: end.promise, forward, until };
}

const cleanUps: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0)) await cleanUp();
});

describe('a forward over RTSP', () => {
  it('begins with a keyframe, and ties each track to the capture clock by a report', async () => {
    const { frames, forward, publication, until } = await setUp();
    publication.write(picture(0));
    publication.write(picture(3600, { keyframe: true }));
    publication.write(sound(1920));
    await until(4);
    const [, first] = frames.filter(({ channel }) => channel < 2);
    expect(first?.channel).toBe(0);
    // One aggregate with the parameter sets, or the first of them: no lone slice.
    expect((parseRtp(first!.payload)?.payload[0] ?? 0) & 0x1f).not.toBe(1);
    const reports = frames.filter(({ channel }) => channel % 2 === 1).flatMap((f) => parseRtcp(f.payload));
    const positions = reports.flatMap((one) => (one.type === 'sender-report' ? [one] : []));
    expect(positions.map(({ ntp }) => Math.round((ntp ?? 0) - ntpOfZero))).toEqual([0, 40]);
    expect(forward.bytesSent).toBeGreaterThan(0);
  });

  it('is given up when the other server takes nothing for 10 s', async () => {
    const { clock, end, publication, sockets } = await setUp();
    for (const socket of sockets) socket.pause();
    for (let n = 0; n < 40; n++) {
      publication.write(picture(n * 3600, { keyframe: true, size: 1 << 20 }));
      // What the kernel takes it takes now, and then no more.
      if (n === 20) await new Promise((resolve) => setTimeout(resolve, 100));
      clock.advance(n < 20 ? 1 : 1000);
    }
    expect((await end).reason).toMatch(/took nothing for 1\d s/);
    expect(publication.stream.readerCount).toBe(0);
  });

  it('ends with a reason when the other server closes the connection', async () => {
    const { end, publication, sockets } = await setUp();
    for (const socket of sockets) socket.end();
    expect(await end).toMatchObject({ code: 'RTSP_UNREACHABLE' });
    expect((await end).reason).toContain('the server closed the connection');
    expect(publication.stream.readerCount).toBe(0);
  });

  it('goes on with the next publisher of the same tracks, and ends where there are others', async () => {
    const { asked, end, frames, publication, publish, until } = await setUp();
    publication.write(picture(0, { keyframe: true }));
    publication.close('It left.');
    publish().write(picture(900_000, { keyframe: true }));
    await until(frames.length + 1);
    publish([h264Track, opusTrack]);
    expect((await end).reason).toMatch(/connect again|announced anew/);
    expect(asked.filter(({ method }) => method === 'ANNOUNCE')).toHaveLength(1);
  });

  it('says goodbye when it is closed, and leaves neither reader nor timer', async () => {
    const { asked, clock, forward, publication, sockets } = await setUp();
    const [socket] = sockets;
    await Promise.all([forward.close('Enough.'), once(socket!, 'close')]);
    expect(asked.at(-1)?.method).toBe('TEARDOWN');
    expect(publication.stream.readerCount).toBe(0);
    expect(clock.pending).toBe(0);
  });
});
