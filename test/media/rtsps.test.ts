import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { type ConnectionOptions, connect } from 'node:tls';
import { pino } from 'pino';
import { describe, expect, test } from 'vitest';
import { selfSigned } from '../support/certificate.ts';
import { clipPath } from '../support/clips.ts';
import { readPictures } from '../support/gst-pictures.ts';
import { run, start } from '../support/process.ts';
import { eventually, sluice } from '../support/sluice.ts';

/** RTSP over TLS by real programs. */

const PORTS =
  'http: { port: 0, tlsPort: 0 }\nrtsp: { port: 0, udpPort: 0, tlsPort: 0 }\nrtmp: { port: 0, tlsPort: 0 }\nwebrtc: { port: 0 }\n';

async function secureSluice() {
  const certificate = await selfSigned();
  const yaml = `demo: false\ntls: { cert: ${certificate.cert}, key: ${certificate.key} }\n`;
  const warnings: string[] = [];
  const log = pino({ level: 'warn' }, { write: (line) => void warnings.push(line) });
  const server = await sluice('demo: false\n', log);
  await server.rewrite(yaml, PORTS);
  const url = server.server.addresses.rtsps ?? '';
  return {
    server,
    certificate,
    warnings,
    url,
    port: Number(new URL(url.replace('rtsps', 'http')).port),
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
      await certificate[Symbol.asyncDispose]();
    },
  };
}

/** What the server says to one request, and the common name of its certificate. */
async function say(port: number, request: string, options: ConnectionOptions = {}) {
  const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false, ...options });
  await once(socket, 'secureConnect');
  const name = socket.getPeerCertificate().subject.CN;
  socket.write(request.replaceAll('\n', '\r\n'));
  const [answer] = (await once(socket, 'data')) as [Buffer];
  socket.destroy();
  return { name, answer: answer.toString() };
}

const OPTIONS = 'OPTIONS * RTSP/1.0\nCSeq: 1\n\n';

describe('RTSPS', () => {
  test('opens when a certificate is configured; ffmpeg publishes, ffprobe and GStreamer read', async () => {
    await using secure = await secureSluice();
    const path = await clipPath('h264-aac');
    await using publisher = start('ffmpeg', [
      ...['-v', 'error', '-re', '-stream_loop', '-1', '-i', path, '-c', 'copy'],
      ...['-f', 'rtsp', '-rtsp_transport', 'tcp', `${secure.url}/cam`],
    ]);
    await secure.server.live('cam');
    const [probe, gst] = await Promise.all([
      run('ffprobe', [
        ...['-v', 'error', '-rtsp_transport', 'tcp', '-show_entries', 'stream=codec_name', '-of', 'csv=p=0'],
        `${secure.url}/cam`,
      ]),
      readPictures([`location=${secure.url}/cam`, 'tls-validation-flags=0', 'protocols=tcp+tls']),
    ]);
    expect(probe.stderr).toBe('');
    expect(probe.stdout.trim().split('\n').sort()).toEqual(['aac', 'h264']);
    expect(gst).not.toMatch(/ERROR/);
    expect(publisher.stderr).toBe('');
  });

  test('shows a renewed certificate to new connections, and keeps the former when the new one is broken', async () => {
    await using secure = await secureSluice();
    expect(await say(secure.port, OPTIONS)).toMatchObject({ name: 'first' });
    await secure.certificate.renew('second');
    await eventually(async () => (await say(secure.port, OPTIONS)).name === 'second');
    await writeFile(secure.certificate.cert, 'no certificate');
    await eventually(() => secure.warnings.some((line) => line.includes('former certificate stays in use')));
    expect(await say(secure.port, OPTIONS)).toMatchObject({
      name: 'second',
      answer: expect.stringMatching(/^RTSP\/1\.0 200 OK/),
    });
  });

  test('offers TCP to who asks for UDP or SRTP, which would leave the encrypted connection', async () => {
    await using secure = await secureSluice();
    const setup = (transport: string) =>
      say(secure.port, `SETUP rtsps://h/cam/trackID=0 RTSP/1.0\nCSeq: 1\nTransport: ${transport}\n\n`);
    for (const transport of [
      'RTP/AVP;unicast;client_port=5000-5001',
      'RTP/SAVP;unicast;client_port=5000-5001',
      'RTP/SAVP/TCP;unicast;interleaved=0-1',
    ]) {
      const { answer } = await setup(transport);
      expect(answer).toMatch(/^RTSP\/1\.0 461 /);
      expect(answer).toContain('Transport: RTP/AVP/TCP;unicast;interleaved=0-1');
    }
  });

  test('is pulled from a server whose fingerprint is known, and from no other', async () => {
    await using secure = await secureSluice();
    const path = await clipPath('h264-aac');
    await using publisher = start('ffmpeg', [
      ...['-v', 'error', '-re', '-stream_loop', '-1', '-i', path, '-c', 'copy'],
      ...['-f', 'rtsp', '-rtsp_transport', 'tcp', `${secure.server.rtsp}/cam`],
    ]);
    await secure.server.live('cam');
    const source = (more: string) =>
      `demo: false\nstreams: { yard: { source: "${secure.url}/cam", onDemand: false${more} } }\n`;
    await using puller = await sluice(source(''));
    const status = () => puller.get<{ source: { code?: string; reason?: string } }>('/api/streams/yard');
    const refused = await eventually(async () => {
      const { source: state } = await status();
      return state.code === 'RTSP_CERTIFICATE_REFUSED' ? state : undefined;
    });
    const fingerprint = /fingerprint: "([0-9A-F:]+)"/.exec(refused.reason ?? '')?.[1];
    await puller.rewrite(source(`, fingerprint: "${fingerprint}"`));
    await puller.live('yard');
    await puller.rewrite(source(`, fingerprint: "${fingerprint?.replace(/^../, '00')}"`));
    await eventually(async () => (await status()).source.code === 'RTSP_CERTIFICATE_REFUSED');
    expect(publisher.stderr).toBe('');
  });

  test('closes its port when the certificate is taken out of the configuration', async () => {
    await using secure = await secureSluice();
    await secure.server.rewrite('demo: false\n', PORTS);
    expect(secure.server.server.addresses.rtsps).toBeUndefined();
    await expect(say(secure.port, OPTIONS)).rejects.toThrow('ECONNREFUSED');
  });

  test('names the file that cannot be read, and stays as it was', async () => {
    await using secure = await secureSluice();
    const health = await secure.server.rewrite(
      `demo: false\ntls: { cert: ${secure.certificate.cert}, key: /nowhere/key.pem }\n`,
      PORTS,
    );
    expect(health.configuration.error).toMatchObject({ code: 'TLS_FILE_UNREADABLE' });
    expect(health.configuration.error?.message).toContain('"tls.key" names /nowhere/key.pem');
    expect((await say(secure.port, OPTIONS)).answer).toMatch(/^RTSP\/1\.0 200 OK/);
  });
});
