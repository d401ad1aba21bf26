import { once } from 'node:events';
import { connect } from 'node:net';
import { expect, test } from 'vitest';
import { clipPath } from '../support/clips.ts';
import { readPictures } from '../support/gst-pictures.ts';
import { run } from '../support/process.ts';
import { publish, published, startRtsp } from '../support/rtsp.ts';
import { eventually, sluice } from '../support/sluice.ts';

/** RTSP through HTTP, on the RTSP port and on that of HTTP. */

test('ffprobe and GStreamer read through HTTP, and nothing of their tunnels is left', async () => {
  await using server = await startRtsp();
  await using publisher = publish(await clipPath('h264-aac'), server.url('cam'), -1);
  await published(server.hub, 'cam');
  const before = server.server.connections;
  const [probe, gst] = await Promise.all([
    run('ffprobe', [
      ...['-v', 'error', '-rtsp_transport', 'http', '-show_entries', 'stream=codec_name', '-of', 'csv=p=0'],
      server.url('cam'),
    ]),
    readPictures([`location=${server.url('cam').replace('rtsp:', 'rtsph:')}`]),
  ]);
  expect(probe.stderr).toBe('');
  expect(probe.stdout.trim().split('\n').sort()).toEqual(['aac', 'h264']);
  expect(gst).not.toMatch(/ERROR/);
  await eventually(() => server.server.connections === before);
  expect(publisher.stderr).toBe('');
});

test('on the HTTP port ffprobe and GStreamer read through HTTP too, and everybody else has the page', async () => {
  await using server = await sluice('demo: false\n');
  await using publisher = publish(await clipPath('h264-aac'), `${server.rtsp}/cam`, -1);
  await server.live('cam');
  const url = `${server.http.replace('http:', 'rtsp:')}/cam`;
  const [probe, gst, page] = await Promise.all([
    run('ffprobe', [
      ...['-v', 'error', '-rtsp_transport', 'http', '-show_entries', 'stream=codec_name', '-of', 'csv=p=0'],
      url,
    ]),
    readPictures([`location=${url.replace('rtsp:', 'rtsph:')}`]),
    fetch(`${server.http}/api/health`),
  ]);
  expect(probe.stderr).toBe('');
  expect(probe.stdout.trim().split('\n').sort()).toEqual(['aac', 'h264']);
  expect(gst).not.toMatch(/ERROR/);
  expect(page.status).toBe(200);
  const { port } = new URL(server.http);
  const foreign = await http(Number(port), 'GET /cam HTTP/1.0\nHost: evil.example\nx-sessioncookie: one\n\n');
  await once(foreign.socket, 'close');
  expect(foreign.heard()).toMatch(/^HTTP\/1\.0 403 /);
  expect(publisher.stderr).toBe('');
});

async function http(port: number, head: string) {
  const socket = connect(port, '127.0.0.1');
  let heard = '';
  socket.on('data', (bytes) => {
    heard += bytes.toString('latin1');
  });
  socket.on('error', () => {});
  await once(socket, 'connect');
  socket.write(head.replaceAll('\n', '\r\n'));
  return { socket, heard: () => heard };
}

test('a POST without its GET is refused, and a cookie names one tunnel', async () => {
  await using server = await startRtsp();
  const alone = await http(server.port, 'POST / HTTP/1.0\nx-sessioncookie: lost\n\n');
  await once(alone.socket, 'close');
  expect(alone.heard()).toMatch(/^HTTP\/1\.0 404 /);
  const first = await http(server.port, 'GET / HTTP/1.0\nx-sessioncookie: one\n\n');
  await eventually(() => first.heard().startsWith('HTTP/1.0 200 OK'));
  const second = await http(server.port, 'GET / HTTP/1.0\nx-sessioncookie: one\n\n');
  await once(second.socket, 'close');
  expect(second.heard()).toMatch(/^HTTP\/1\.0 409 /);
  first.socket.destroy();
});

test('a client may end its POST and go on with another; what is no base64 ends the tunnel', async () => {
  await using server = await startRtsp();
  const base64 = (cseq: number) =>
    Buffer.from(`OPTIONS * RTSP/1.0\r\nCSeq: ${cseq}\r\n\r\n`).toString('base64');
  const post = 'POST / HTTP/1.0\nx-sessioncookie: one\n\n';
  const get = await http(server.port, 'GET / HTTP/1.0\nx-sessioncookie: one\n\n');
  await eventually(() => get.heard().includes('200 OK'));
  const first = await http(server.port, post + base64(1));
  await eventually(() => /CSeq: 1\r\n/.test(get.heard()));
  first.socket.end();
  const second = await http(server.port, post + base64(2));
  await eventually(() => /CSeq: 2\r\n/.test(get.heard()));
  second.socket.write('!!!!');
  await Promise.all([once(get.socket, 'close'), once(second.socket, 'close')]);
  await eventually(() => server.server.connections === 0);
  expect(server.notes.join('\n')).toContain('something that is no base64');
});
