import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { madeUpClip } from '../support/fault-camera/clip.ts';
import { FaultServer } from '../support/fault-camera/server.ts';
import { barcodeClip } from '../support/media.ts';
import { start } from '../support/process.ts';

const root = resolve(import.meta.dirname, '..', '..');
const folder = mkdtempSync(join(tmpdir(), 'sluice-command-'));
const config = join(folder, 'sluice.yml');

beforeAll(() =>
  writeFileSync(
    config,
    'rtsp: { port: 0, udpPort: 0 }\nrtmp: { port: 0 }\nwebrtc: { port: 0 }\nhttp: { port: 0 }\n',
  ),
);
afterAll(() => rmSync(folder, { recursive: true }));

const sluice = (...args: string[]) => start(join(root, 'bin', 'sluice.mjs'), args);

describe('npm start', () => {
  it('says within 3 s where to look, and ends cleanly within 5 s when npm is told to', async () => {
    const began = performance.now();
    await using npm = start('npm', ['--prefix', root, 'start', '--', '--config', config]);
    await expect.poll(() => npm.stdout, { timeout: 3000, interval: 20 }).toContain('Stop     Ctrl+C');
    console.info(`npm start said where to look after ${Math.round(performance.now() - began)} ms`);
    const url = /http:\/\/\S+\//.exec(npm.stdout)?.[0] ?? '';
    expect((await fetch(`${url}api/health`)).status).toBe(200);
    npm.child.kill('SIGTERM');
    const told = performance.now();
    expect((await npm.finished).code).toBe(0);
    expect(performance.now() - told).toBeLessThan(5000);
    // The server itself is gone too, not only npm in front of it.
    await expect(fetch(`${url}api/health`)).rejects.toThrow();
  });
});

describe('a server', () => {
  it('reads its configuration again when the file is written, and on SIGHUP', async () => {
    const file = join(folder, 'changing.yml');
    const ports =
      'rtsp: { port: 0, udpPort: 0 }\nrtmp: { port: 0 }\nwebrtc: { port: 0 }\nhttp: { port: 0 }\ndemo: false\n';
    writeFileSync(file, ports);
    await using server = start(process.execPath, [join(root, 'src/cli/main.ts'), 'serve', '--config', file]);
    await expect.poll(() => server.stdout, { timeout: 5000, interval: 20 }).toContain('Stop     Ctrl+C');
    writeFileSync(file, `${ports}publisher: { holdSeconds: 3 }\n`);
    await expect
      .poll(() => server.stderr, { timeout: 5000 })
      .toContain('configuration changed: publisher.holdSeconds changed');
    server.child.kill('SIGHUP');
    await expect.poll(() => server.stderr, { timeout: 5000 }).toContain('nothing changed');
    writeFileSync(file, `${ports}publisher: { holdSecond: 3 }\n`);
    await expect.poll(() => server.stderr, { timeout: 5000 }).toContain('Did you mean');
    expect(server.child.exitCode).toBeNull();
    server.child.kill('SIGTERM');
    expect((await server.finished).code).toBe(0);
  });
});

describe('sluice probe', () => {
  it('looks at a camera for some seconds, and shows no password', async () => {
    await using camera = await FaultServer.listen({
      camera: {
        clip: madeUpClip({ gop: 25 }),
        server: { auth: { scheme: 'digest-md5', user: 'me', password: 'secret' } },
      },
    });
    const { code, stdout, stderr } = await sluice('probe', camera.url('me:secret'), '--json').finished;
    expect(stderr).toBe('');
    expect(code).toBe(0);
    const { container, tracks } = JSON.parse(stdout) as { container: string; tracks: object[] };
    expect(container).toBe('rtsp');
    const clock = 'sender-report';
    expect(tracks).toMatchObject([
      { kind: 'video', codec: 'h264', width: 640, height: 360, keyframeInterval: 1, clock },
      { kind: 'audio', codec: 'aac', sampleRate: 48_000, clock },
    ]);
    expect((tracks[0] as { fps: number }).fps).toBeCloseTo(25, 0);
    expect((tracks[0] as { bitrate: number }).bitrate).toBeGreaterThan(5000);
    const wrong = await sluice('probe', camera.url('me:wrong')).finished;
    expect(wrong.code).toBe(1);
    expect(wrong.stderr).toContain(`rtsp://127.0.0.1:${camera.port}/camera`);
    expect(wrong.stdout + wrong.stderr).not.toContain('wrong');
  });

  it('looks at what FFmpeg takes in, and says by when nothing came', async () => {
    const clip = await barcodeClip({ seconds: 4, gop: 25 });
    const web = createHttpServer((request, response) => {
      if (request.url?.startsWith('/hangs')) return;
      const args = ['-v', 'error', '-re', '-stream_loop', '-1', '-i', clip, '-c', 'copy', '-f', 'flv', '-'];
      const sender = spawn('ffmpeg', args, { stdio: ['ignore', 'pipe', 'ignore'] });
      response.on('close', () => sender.kill('SIGKILL'));
      sender.stdout.pipe(response);
    }).listen(0, '127.0.0.1');
    await once(web, 'listening');
    const address = `http://me:secret@127.0.0.1:${(web.address() as { port: number }).port}`;
    const [seen, hung] = await Promise.all([
      sluice('probe', `${address}/live.flv`).finished,
      sluice('probe', `${address}/hangs`).finished,
    ]);
    web.closeAllConnections();
    web.close();
    expect(seen.code).toBe(0);
    expect(seen.stdout).toMatch(
      /video +h264 .*640 × 360, 2[45](\.\d+)? fps, a keyframe every 1 s, \d+ kbit\/s/,
    );
    expect(seen.stdout).toMatch(/audio +aac /);
    expect(hung.code).toBe(1);
    expect(hung.stderr).toMatch(/Nothing came from .*\/hangs for 15 s\./);
    for (const { stdout, stderr } of [seen, hung]) expect(stdout + stderr).not.toContain('secret');
  });
});

describe('sluice', () => {
  it('says in a sentence what is wrong, with 2 for the command line and 1 for everything else', async () => {
    const option = await sluice('serve', '--loud').finished;
    expect(option.code).toBe(2);
    expect(option.stderr.trim()).toBe(
      'There is no option "--loud". "sluice serve --help" says what there is.',
    );
    const missing = await sluice('probe', join(folder, 'nothing.mp4')).finished;
    expect(missing.code).toBe(1);
    expect(missing.stderr).toContain(
      `There is no file "${join(folder, 'nothing.mp4')}", and what is to be read must be there. Check`,
    );
    expect(missing.stderr).not.toContain('worker');
    const unreachable = await sluice('probe', 'rtsp://127.0.0.1:1/cam').finished;
    expect(unreachable.stderr).toContain('cannot be reached');
    expect(unreachable.stderr).toContain('Check address and port, and that it is on.');
    expect(missing.stderr).not.toMatch(/^\s+at /m);
  });

  it('names the port and the setting when a port is busy, and leaves no process', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    const { port } = other.address() as { port: number };
    const file = join(folder, 'busy.yml');
    writeFileSync(
      file,
      `http: { port: ${port} }\nrtsp: { port: 0, udpPort: 0 }\nrtmp: { port: 0 }\nwebrtc: { port: 0 }\n`,
    );
    const { code, stdout, stderr } = await sluice('serve', '--config', file).finished;
    other.close();
    expect(code).toBe(1);
    expect(stderr).toContain(String(port));
    expect(stderr).toContain('http.port');
    expect(stderr).not.toMatch(/^\s+at /m);
    expect(stdout).toBe('');
  });

  it('says what is in a file', async () => {
    const { code, stdout } = await sluice('probe', join(root, 'media', 'people.mp4'), '--json').finished;
    expect(code).toBe(0);
    const { tracks } = JSON.parse(stdout) as { tracks: object[] };
    expect(tracks).toMatchObject([
      { kind: 'video', codec: 'h264', width: 768, height: 576 },
      { kind: 'audio', codec: 'aac', sampleRate: 44_100 },
    ]);
  });
});
