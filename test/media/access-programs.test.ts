import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hashPassword } from '#util/password-hash.ts';
import { clipPath } from '../support/clips.ts';
import { readPictures } from '../support/gst-pictures.ts';
import { run } from '../support/process.ts';
import { publish } from '../support/rtsp.ts';
import { eventually, sluice, type TestSluice } from '../support/sluice.ts';

/** Real programs log in over RTSP, as they do without being told how. */

const all = '[{ actions: [publish, read, manage] }]';
const TOKEN = 'monitoring-secret-0123456789';
const users = (password: string) => `demo: false
users:
  - { name: anna, password: '${password}', permissions: ${all} }
tokens:
  - { name: monitoring, token: ${TOKEN}, permissions: ${all} }
`;

const withLogin = (url: string, login: string) => url.replace('rtsp://', `rtsp://${login}@`);

const ffprobe = (url: string) =>
  run(
    'ffprobe',
    ['-v', 'error', '-rtsp_transport', 'tcp', '-show_entries', 'stream=codec_name', url],
    20_000,
  );

const gstreamer = (url: string) => readPictures(['protocols=tcp', `location=${url}`]);

const live = ({ http }: TestSluice, stream: string) =>
  eventually(async () => {
    const headers = { authorization: `Bearer ${TOKEN}` };
    const answer = await fetch(`${http}/api/streams/${stream}`, { headers });
    return ((await answer.json()) as { state?: string }).state === 'live';
  });

describe.each([
  ['digests, the password being plain', async () => 'secret'],
  ['Basic, the password being a hash', () => hashPassword('secret')],
])('over %s', (_, password) => {
  let server: TestSluice;
  const lines: string[] = [];
  beforeAll(async () => {
    const log = pino({ level: 'debug' }, { write: (line: string) => lines.push(line) });
    server = await sluice(users(await password()), log);
  });
  afterAll(() => server[Symbol.asyncDispose]());

  it('ffmpeg publishes, ffprobe and GStreamer read, and the log has no secret', async () => {
    const url = `${server.rtsp}/cam`;
    await using _publisher = publish(await clipPath('h264-aac'), withLogin(url, 'anna:secret'), -1);
    await live(server, 'cam');
    const [probe, gst, byToken] = await Promise.all([
      ffprobe(withLogin(url, 'anna:secret')),
      gstreamer(withLogin(url, 'anna:secret')),
      ffprobe(`${url}?token=${TOKEN}`),
    ]);
    for (const { stdout } of [probe, byToken]) expect(stdout).toContain('h264');
    expect(gst).toBe('');
    expect(lines.join('')).not.toMatch(new RegExp(`secret|${TOKEN}`));
  });

  it('a program with a wrong password is answered 401, and after a few not at all', async () => {
    const url = withLogin(`${server.rtsp}/cam`, 'anna:wrong');
    const first = await ffprobe(url);
    expect(first.code).not.toBe(0);
    expect(first.stderr).toContain('401');
    const errors = [];
    for (let i = 0; i < 5; i++) errors.push((await ffprobe(url)).stderr);
    expect(errors.join('')).toMatch(/503|Service Unavailable|Server returned 5XX/);
  });
});

describe('a publisher', () => {
  it('is put out when its user is taken out of the configuration, and its neighbour stays', async () => {
    const bob = `  - { name: bob, password: pw, permissions: ${all} }\n`;
    const text = users('secret');
    await using server = await sluice(text.replace('tokens:', `${bob}tokens:`));
    const path = await clipPath('h264-aac');
    await using _anna = publish(path, withLogin(`${server.rtsp}/a`, 'anna:secret'), -1);
    await using bobs = publish(path, withLogin(`${server.rtsp}/b`, 'bob:pw'), -1);
    await Promise.all([live(server, 'a'), live(server, 'b')]);
    await server.change(text);
    // ffmpeg ends by itself, not by the deadline of the test.
    expect((await bobs.finished).signal).toBeNull();
    await live(server, 'a');
  });
});
