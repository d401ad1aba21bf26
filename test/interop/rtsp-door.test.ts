import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Hub } from '#hub/hub.ts';
import type { Stream } from '#hub/stream.ts';
import { parseRtcp } from '#protocols/rtcp/packet.ts';
import { parseRtp } from '#protocols/rtp/packet.ts';
import { serializeInterleaved } from '#protocols/rtsp/message.ts';
import { RtspServer } from '#servers/rtsp/server.ts';
import { describeRtsp } from '#sources/rtsp/describe.ts';
import { clipPath } from '../support/clips.ts';
import { type RunningProgram, run } from '../support/process.ts';
import { publish, published, RawClient, startRtsp } from '../support/rtsp.ts';

/** The RTSP door over real sockets, with ffmpeg as publisher and clients that do what players seldom do. */

const tcp = (channel: number) => ({ Transport: `RTP/AVP/TCP;unicast;interleaved=${channel}-${channel + 1}` });
const SDP =
  'v=0\r\no=- 0 0 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\nm=audio 0 RTP/AVP 8\r\na=control:streamid=0\r\n';

/** Publishes G.711 by hand as far as RECORD; channels 0 and 1. */
async function announce(client: RawClient, url: string) {
  await client.ask('ANNOUNCE', url, { 'Content-Type': 'application/sdp' }, SDP);
  await client.ask('SETUP', `${url}/streamid=0`, {
    Transport: 'RTP/AVP/TCP;unicast;interleaved=0-1;mode=record',
  });
  return client.ask('RECORD', url);
}

describe('a published stream', () => {
  let server: Awaited<ReturnType<typeof startRtsp>>;
  let publisher: RunningProgram;
  let stream: Stream;
  let url: string;

  beforeAll(async () => {
    server = await startRtsp();
    url = server.url('yard/gate-1');
    publisher = publish(await clipPath('h264-aac'), url, 20);
    stream = await published(server.hub, 'yard/gate-1');
  });
  afterAll(async () => {
    await publisher.stop();
    await server[Symbol.asyncDispose]();
  });

  /** Sets up both tracks and plays; the channels of picture and sound follow each other. */
  async function play(client: RawClient, firstChannel = 0) {
    await client.ask('DESCRIBE', url);
    await client.ask('SETUP', `${url}/trackID=0`, tcp(firstChannel));
    await client.ask('SETUP', `${url}/trackID=1`, tcp(firstChannel + 2));
    return client.ask('PLAY', url);
  }

  test('begins for a late reader with reports, and at once with a keyframe', async () => {
    await new Promise<void>((resolve) => {
      const seen = stream.counters.units;
      const off = setInterval(() => {
        if (stream.counters.units < seen + 60) return;
        clearInterval(off);
        resolve();
      }, 20);
    });
    await using client = await RawClient.connect(server.port);
    const before = performance.now();
    const response = await play(client);
    await client.until(() => client.frames.some(({ channel }) => channel === 0));
    const waited = performance.now() - before;
    expect(client.frames.slice(0, 2).map(({ channel }) => channel)).toEqual([1, 3]);
    const reports = client.frames.slice(0, 2).flatMap(({ payload }) => parseRtcp(payload));
    const [first, second] = reports.filter((report) => report.type === 'sender-report');
    expect(Math.abs((first?.ntp ?? 0) - (second?.ntp ?? 1e9))).toBeLessThan(0.1);
    const packet = parseRtp(client.frames.find(({ channel }) => channel === 0)?.payload ?? Buffer.alloc(0));
    // SPS, PPS and IDR come first: a NAL unit of type 7, or an aggregate (24) that holds one.
    expect([7, 24]).toContain((packet?.payload[0] ?? 0) & 0x1f);
    expect(packet?.timestamp).toBe(first?.rtpTimestamp);
    expect(response.headers.get('RTP-Info')).toContain(
      `url=${url}/trackID=0;seq=${packet?.sequence};rtptime=${packet?.timestamp}`,
    );
    expect(waited).toBeLessThan(500);
  });

  test('is written once for all readers with the same channels', async () => {
    await using a = await RawClient.connect(server.port);
    await using b = await RawClient.connect(server.port);
    await using other = await RawClient.connect(server.port);
    await play(a);
    await play(b);
    expect(stream.feeds.map(({ key, readers }) => [key, readers.size])).toEqual([['rtsp-tcp:0=0,1=2', 2]]);
    await play(other, 4);
    expect(stream.feeds.map(({ readers }) => readers.size)).toEqual([2, 1]);
    const known = Math.max(a.frames.length, 1);
    await a.until(() => a.frames.length > known + 20);
    await b.until(() => b.frames.length > known + 20);
    const last = b.frames.at(-1)?.payload ?? Buffer.alloc(1);
    await a.until(() => a.frames.some(({ payload }) => payload.equals(last)));
  });

  test('can be read one track alone', async () => {
    await using client = await RawClient.connect(server.port);
    await client.ask('SETUP', `${url}/trackID=1`, tcp(0));
    expect((await client.ask('PLAY', `${url}/`)).status).toBe(200);
    await client.until(() => client.frames.length >= 10);
    expect(new Set(client.frames.map(({ channel }) => channel))).toEqual(new Set([1, 0]));
    expect(stream.feeds.map(({ key }) => key)).toContain('rtsp-tcp:1=0');
  });

  test('pauses and plays again, from a keyframe, with sequence numbers that go on', async () => {
    await using client = await RawClient.connect(server.port);
    await play(client);
    await client.until(() => client.frames.filter(({ channel }) => channel === 0).length > 10);
    expect((await client.ask('PAUSE', url)).status).toBe(200);
    const lastBefore = client.frames.findLast(({ channel }) => channel === 0);
    const paused = client.frames.length;
    await client.ask('GET_PARAMETER', url);
    expect(client.frames.length).toBe(paused);
    const response = await client.ask('PLAY', url);
    await client.until(() => client.frames.slice(paused).some(({ channel }) => channel === 0));
    const again = parseRtp(
      client.frames.slice(paused).find(({ channel }) => channel === 0)?.payload ?? Buffer.alloc(0),
    );
    expect([7, 24]).toContain((again?.payload[0] ?? 0) & 0x1f);
    expect(response.headers.get('RTP-Info')).toContain(`seq=${again?.sequence};`);
    expect(again?.ssrc).toBe(parseRtp(lastBefore?.payload ?? Buffer.alloc(0))?.ssrc);
  });

  test('leaves no reader and no feed behind when its readers leave', async () => {
    const client = await RawClient.connect(server.port);
    await play(client);
    expect((await client.ask('TEARDOWN', url)).status).toBe(200);
    expect(stream.readerCount).toBe(0);
    expect((await client.ask('PLAY', url)).status).toBe(455);
    await client[Symbol.asyncDispose]();
  });

  test('is read by a player that asks for UDP first', async () => {
    const [ffprobe, gst] = await Promise.all([
      run('ffprobe', ['-v', 'error', '-show_entries', 'stream=codec_name', '-of', 'csv=p=0', url]),
      run('gst-launch-1.0', ['-q', 'rtspsrc', `location=${url}`, '!', 'fakesink', 'num-buffers=30'], 20_000),
    ]);
    expect(ffprobe.stdout.trim().split('\n')).toEqual(['h264', 'aac']);
    // It ends by itself only when its 30 buffers came. Ending, it now and then breaks off its own PAUSE and says so.
    expect(gst.signal).toBeNull();
    if (gst.code !== 0) expect(gst.stderr).toContain('Could not send message');
  });

  test('is read under its address with a slash and a query behind it', async () => {
    const { stdout } = await run('ffprobe', [
      ...['-v', 'error', '-rtsp_transport', 'tcp', '-show_entries', 'stream=codec_name', '-of', 'csv=p=0'],
      `${url}/?token=a/b`,
    ]);
    expect(stdout.trim().split('\n')).toEqual(['h264', 'aac']);
  });

  test('is described to whoever asks, without playing it', async () => {
    const { medias } = await describeRtsp(url.replace('rtsp://', 'rtsp://user:secret@'), { timeoutMs: 5000 });
    expect(medias.map(({ encodingName }) => encodingName)).toEqual(['H264', 'MPEG4-GENERIC']);
    await expect(describeRtsp(server.url('nothing'), { timeoutMs: 5000 })).rejects.toMatchObject({
      code: 'RTSP_NOT_FOUND',
      message: expect.stringContaining('There is no stream "nothing"'),
    });
  });
});

describe('a publisher', () => {
  test('is taken over by a second one, and its readers stay', async () => {
    await using server = await startRtsp();
    const url = server.url('live');
    const path = await clipPath('h264');
    await using first = publish(path, url, 20);
    const stream = await published(server.hub, 'live');
    await using reader = await RawClient.connect(server.port);
    await reader.ask('SETUP', `${url}/trackID=0`, tcp(0));
    await reader.ask('PLAY', url);
    await reader.until(() => reader.frames.length > 20);
    const taken = new Promise<void>((resolve) => stream.events.on('tracks', resolve));
    await using second = publish(path, url, 20);
    await taken;
    expect((await first.finished).code).not.toBe(0);
    const known = reader.frames.length;
    await reader.until(() => reader.frames.length > known + 40);
    const packets = reader.frames.flatMap(({ channel, payload }) =>
      channel === 0 ? (parseRtp(payload) ?? []) : [],
    );
    const times = [...new Set(packets.map(({ timestamp }) => timestamp))];
    const steps = times.slice(1).map((time, i) => (time - (times[i] ?? 0)) | 0);
    expect(Math.min(...steps)).toBeGreaterThan(0);
    const gaps = packets.slice(1).map(({ sequence }, i) => (sequence - (packets[i]?.sequence ?? 0)) & 0xffff);
    expect(new Set(gaps)).toEqual(new Set([1]));
    expect(reader.closed).toBe(false);
    await second.stop();
    await reader.until(() => reader.closed);
    expect(reader.closed).toBe(true);
  });

  test('is refused when publishers may not take over', async () => {
    await using server = await startRtsp({ hub: { takeover: false } });
    await using first = await RawClient.connect(server.port);
    await using second = await RawClient.connect(server.port);
    expect((await announce(first, server.url('live'))).status).toBe(200);
    const refused = await announce(second, server.url('live'));
    expect(refused.status).toBe(403);
    expect(refused.body.toString()).toContain('already publishing');
  });

  test('is refused with a line in the log that names who, what and why, since ffmpeg keeps the sentence', async () => {
    await using server = await startRtsp({ hub: { takeover: false } });
    await using client = await RawClient.connect(server.port);
    const ask = async (name: string, sdp = SDP) => {
      const url = server.url(name);
      return (await client.ask('ANNOUNCE', url, { 'Content-Type': 'application/sdp' }, sdp)).status;
    };
    const remote = `127.0.0.1:${client.socket.localPort}`;
    expect([await ask('api/x'), await ask('api/x'), await ask('a%0Ab')]).toEqual([400, 400, 400]);
    expect(await ask('live', 'v=0\r\nm=audio 0 RTP/AVP 96\r\na=rtpmap:96 speex/8000\r\n')).toBe(415);
    await using first = await RawClient.connect(server.port);
    expect((await announce(first, server.url('live'))).status).toBe(200);
    expect((await announce(client, server.url('live'))).status).toBe(403);
    const lines = server.warnings.filter((line) => line.includes(remote));
    expect(lines).toEqual([
      expect.stringMatching(/may not publish "api\/x"\. .*reserved as first segment/),
      expect.stringMatching(/may not publish "a b"\. .*characters other than/),
      expect.stringMatching(/may not publish "live"\. .*speex/i),
      expect.stringMatching(/may not publish "live"\. Somebody is already publishing/),
    ]);
    for (const line of lines) expect(line).not.toContain('\n');
  });

  test('that falls silent is disconnected after the time-out, and the log says why', async () => {
    await using server = await startRtsp({ sessionTimeoutMs: 300 });
    await using client = await RawClient.connect(server.port);
    const answer = await announce(client, server.url('live'));
    expect(answer.status).toBe(200);
    client.socket.write(
      serializeInterleaved(0, Buffer.from(`8008000100000064000000aa${'d5'.repeat(160)}`, 'hex')),
    );
    await client.until(() => client.closed);
    expect(server.hub.streams).toEqual([]);
    expect(server.notes.join('\n')).toMatch(/no longer publishes "live"\. The client gave no sign of life/);
  });

  test('keeps alive the readers it feeds, even ones that say nothing', async () => {
    await using server = await startRtsp({ sessionTimeoutMs: 300 });
    await using publisher = publish(await clipPath('h264'), server.url('live'));
    await published(server.hub, 'live');
    await using reader = await RawClient.connect(server.port);
    await reader.ask('SETUP', `${server.url('live')}/trackID=0`, tcp(0));
    await reader.ask('PLAY', server.url('live'));
    const begin = performance.now();
    await reader.until(() => performance.now() - begin > 1500);
    expect(reader.closed).toBe(false);
    await publisher.stop();
  });

  test('that breaks off leaves nothing behind', async () => {
    await using server = await startRtsp();
    const client = await RawClient.connect(server.port);
    await announce(client, server.url('live'));
    const ended = new Promise((resolve) => server.hub.events.on('streamRemoved', resolve));
    client.socket.resetAndDestroy();
    await ended;
    expect(server.server.connections).toBe(0);
  });
});

describe('wrong requests', () => {
  let server: Awaited<ReturnType<typeof startRtsp>>;
  beforeAll(async () => {
    server = await startRtsp();
  });
  afterAll(() => server[Symbol.asyncDispose]());

  test('are answered with a status and a sentence, and the connection stays', async () => {
    await using client = await RawClient.connect(server.port);
    const url = server.url('live');
    const status = async (...request: Parameters<RawClient['ask']>) => {
      const { status: code, body } = await client.ask(...request);
      return [code, body.toString().trim()];
    };
    expect(await status('FLY', url)).toEqual([501, 'The method "FLY" is not known.']);
    expect(await status('PLAY', url)).toEqual([455, 'PLAY is not possible in the state INIT.']);
    expect(await status('DESCRIBE', url)).toEqual([
      404,
      'There is no stream "live". Publish it first, or check the name.',
    ]);
    expect((await status('SETUP', `${url}/trackID=0`, tcp(0)))[0]).toBe(404);
    expect((await status('SETUP', url, { Transport: 'RTP/AVP;unicast;client_port=1-2' }))[0]).toBe(461);
    expect((await status('ANNOUNCE', url, {}, 'broken'))[0]).toBe(400);
    const name = await status('ANNOUNCE', server.url('api/live'), {}, SDP);
    expect(name).toEqual([400, expect.stringContaining('"api" is reserved')]);
    const codec = await status(
      'ANNOUNCE',
      url,
      {},
      'v=0\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H266/90000\r\n',
    );
    expect(codec).toEqual([415, expect.stringContaining('H266')]);
    expect((await status('OPTIONS', '*'))[0]).toBe(200);
  });

  test('show their reason in what ffmpeg and GStreamer tell their users', async () => {
    const url = server.url('nothing');
    const [ffmpeg, gst] = await Promise.all([
      run('ffprobe', ['-v', 'error', '-rtsp_transport', 'tcp', url]),
      run('gst-launch-1.0', ['-q', 'rtspsrc', `location=${url}`, '!', 'fakesink'], 20_000),
    ]);
    expect(ffmpeg.stderr).toContain('There is no stream "nothing". Publish it first');
    expect(gst.stderr).toContain('There is no stream "nothing". Publish it first');
  });

  test('that are not RTSP at all end the connection', async () => {
    await using client = await RawClient.connect(server.port);
    client.socket.write(Buffer.alloc(70_000, 1));
    await client.until(() => client.closed);
    expect(client.closed).toBe(true);
  });
});

test('a busy port is named together with its setting', async () => {
  await using server = await startRtsp();
  const second = new RtspServer({ hub: new Hub(), host: '127.0.0.1', port: server.port });
  await expect(second.listen()).rejects.toMatchObject({
    code: 'PORT_BUSY',
    message: expect.stringMatching(new RegExp(`${server.port}.*rtsp\\.port`)),
  });
});

test('closing the server ends its readers and publishers, and nothing listens any more', async () => {
  const server = await startRtsp();
  const client = await RawClient.connect(server.port);
  await announce(client, server.url('live'));
  await server.server.close();
  await client.until(() => client.closed);
  expect(server.hub.streams).toEqual([]);
  const error = await new Promise((resolve) => connect(server.port, '127.0.0.1').on('error', resolve));
  expect(error).toMatchObject({ code: 'ECONNREFUSED' });
});
