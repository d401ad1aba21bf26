import { pino } from 'pino';
import { expect, test } from 'vitest';
import { selfSigned } from '../support/certificate.ts';
import { barcodeClip } from '../support/media.ts';
import { run } from '../support/process.ts';
import { publishRtmp } from '../support/rtmp-media.ts';
import { eventually, sluice } from '../support/sluice.ts';

test('RTMPS is published by ffmpeg and read by ffprobe and GStreamer; a renewed certificate goes for new connections', async () => {
  const clip = await barcodeClip({ seconds: 8, gop: 25, bframes: 2 });
  await using certificate = await selfSigned();
  const notes: string[] = [];
  const log = pino({ level: 'info' }, { write: (line) => void notes.push(line) });
  await using server = await sluice(
    `demo: false\ntls: { cert: ${certificate.cert}, key: ${certificate.key} }\n`,
    log,
  );
  const { rtmps = '' } = server.server.addresses;
  await using publisher = publishRtmp(clip, `${rtmps}/live/cam`);
  await server.live('live/cam');
  const read = () =>
    run('ffprobe', [
      '-v',
      'error',
      '-show_entries',
      'stream=codec_name',
      '-of',
      'csv=p=0',
      `${rtmps}/live/cam`,
    ]);
  const gst = run('gst-launch-1.0', [
    ...['-q', 'rtmp2src', `location=${rtmps}/live/cam`, 'tls-validation-flags=0'],
    ...'! flvdemux ! h264parse ! fakesink num-buffers=50'.split(' '),
  ]);
  expect((await read()).stdout.trim().split('\n').sort()).toEqual(['aac', 'h264']);
  expect(await gst).toMatchObject({ code: 0 });
  await certificate.renew('second');
  await eventually(() => notes.some((line) => line.includes('RTMPS: the certificate was read anew')));
  expect((await read()).stdout).toContain('h264');
  expect(publisher.stderr).toBe('');
  await server.rewrite('demo: false\n');
  expect(server.server.addresses.rtmps).toBeUndefined();
  expect((await read()).stdout).toBe('');
});
