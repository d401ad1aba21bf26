import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { ProcessGroup } from '#util/process-group.ts';
import { clipPath } from '../support/clips.ts';
import { start } from '../support/process.ts';
import { publish } from '../support/rtsp.ts';
import { eventually, sluice } from '../support/sluice.ts';

const folder = mkdtempSync(join(tmpdir(), 'sluice-hooks-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** A process that has ended but was not waited for yet (a zombie) is not alive. */
function isAlive(pid: number): boolean {
  try {
    return !/^\d+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}

/** Writes its own pid and that of a child, and waits with it; `trap` is what it does first. */
function familyScript(name: string, trap = ''): { script: string[]; pids: () => number[] } {
  const file = join(folder, name);
  const code = `${trap}\nsleep 1000 &\necho $$ $! > "$1.part"; mv "$1.part" "$1"\nwhile :; do wait; sleep 0.1; done`;
  return {
    script: ['/bin/sh', '-c', code, 'family', file],
    pids: () => (existsSync(file) ? readFileSync(file, 'utf8').trim().split(' ').map(Number) : []),
  };
}

test('a command group gives exit code and last words, and takes its arguments as they are', async () => {
  const odd = '$(touch /tmp/never) "; *';
  const code = 'test "$1" = "$WANTED" || exit 9; echo oh no >&2; exit 7';
  const group = new ProcessGroup(['/bin/sh', '-c', code, 'x', odd], { ...process.env, WANTED: odd });
  expect(await group.ended).toEqual({ code: 7, stderr: 'oh no' });
  const missing = new ProcessGroup(['/no/such/program'], process.env);
  expect(await missing.ended).toMatchObject({
    code: 127,
    stderr: expect.stringContaining('/no/such/program'),
  });
});

test('the end of a group reaches the children of its command, and those that ignore SIGTERM after a while', async () => {
  const meek = familyScript('meek');
  const meekGroup = new ProcessGroup(meek.script, process.env);
  const stubborn = familyScript('stubborn', "trap '' TERM");
  const stubbornGroup = new ProcessGroup(stubborn.script, process.env);
  await eventually(() => meek.pids().length === 2 && stubborn.pids().length === 2);
  expect((await meekGroup.end(60_000)).code).toBe(143);
  await stubbornGroup.end(300);
  const all = [...meek.pids(), ...stubborn.pids()];
  await eventually(() => !all.some(isAlive));
});

test('a receiver that fails at first gets each event in order, signed, when it is well again', async () => {
  const got: { body: string; signature: unknown }[] = [];
  let failures = 2;
  const receiver = createServer((request, response) => {
    let body = '';
    request.on('data', (data) => (body += data));
    request.on('end', () => {
      if (failures-- > 0) return void response.writeHead(503).end();
      got.push({ body, signature: request.headers['x-sluice-signature'] });
      response.end('{}');
    });
  }).listen(0, '127.0.0.1');
  await once(receiver, 'listening');
  const url = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/in?token=hidden`;
  const file = await clipPath('h264');
  const hooks = `hooks: [{ on: [publish, unpublish, read, unread, ready], url: '${url}', secret: s3cret }]\n`;
  {
    await using server = await sluice(`demo: false\nstreams: { file: { source: ${file} } }\n${hooks}`);
    await server.live('file');
    await using camera = publish(file, `${server.rtsp}/cam`, -1);
    await server.live('cam');
    const page = new WebSocket(`${server.http.replace('http', 'ws')}/cam/mse`);
    await new Promise((done) => page.addEventListener('message', done, { once: true }));
    page.close();
    const types = () => got.map(({ body }) => JSON.parse(body) as { type: string; stream: string });
    await eventually(() => types().some(({ type }) => type === 'unread'));
    await camera.stop();
    await eventually(() => types().some(({ type }) => type === 'unpublish'));
    await eventually(() => got.length === 6);
    const of = (stream: string) =>
      types()
        .filter((one) => one.stream === stream)
        .map(({ type }) => type);
    expect(of('cam')).toEqual(['publish', 'read', 'unread', 'unpublish']);
    expect(of('file').toSorted()).toEqual(['publish', 'ready']);
    for (const { body, signature } of got) {
      expect(signature).toBe(`sha256=${createHmac('sha256', 's3cret').update(body).digest('hex')}`);
    }
    const answer = await server.get<{ hooks: object[] }>('/api/hooks');
    expect(answer.hooks).toMatchObject([
      { delivered: 6, failed: 0, retried: 2, dropped: 0, last: { ok: true } },
    ]);
    expect(JSON.stringify(answer)).not.toMatch(/hidden|s3cret/);
  }
  // The end of the server is an end of what is published.
  expect(JSON.parse(got.at(-1)!.body)).toMatchObject({ type: 'unpublish', stream: 'file' });
  receiver.close();
});

test('a command runs while its stream is published, and one that fails is shown with its exit code', async () => {
  const lasting = familyScript('lasting');
  const list = (argv: string[]) => JSON.stringify(argv);
  const failing = ['/bin/sh', '-c', 'echo "no $SLUICE_STREAM for $SLUICE_EVENT" >&2; exit 4'];
  await using server = await sluice(
    `demo: false\nhooks:\n  - { while: published, command: ${list(lasting.script)} }\n  - { on: [publish], command: ${list(failing)} }\n`,
  );
  await using camera = publish(await clipPath('h264'), `${server.rtsp}/cam`, -1);
  await eventually(() => lasting.pids().length === 2);
  const hooks = () => server.get<{ hooks: { running: object[]; last?: object }[] }>('/api/hooks');
  const [first, second] = await eventually(async () => {
    const answer = (await hooks()).hooks;
    return answer[1]?.last ? answer : undefined;
  });
  expect(first).toMatchObject({ running: [{ stream: 'cam', restarts: 0 }] });
  expect(second).toMatchObject({
    last: { ok: false, status: 4, message: 'It ended with code 4. Its last words: no cam for publish' },
  });
  await camera.stop();
  await eventually(() => !lasting.pids().some(isAlive));
  expect((await hooks()).hooks[0]).toMatchObject({ running: [] });
});

test('kill -9 of the server leaves no command and no child of one', async () => {
  const root = resolve(import.meta.dirname, '..', '..');
  const lasting = familyScript('orphans', "trap '' TERM HUP INT");
  const config = join(folder, 'sluice.yml');
  const ports =
    'rtsp: { port: 0, udpPort: 0 }\nrtmp: { port: 0 }\nwebrtc: { port: 0 }\nhttp: { port: 0 }\ndemo: false\n';
  const streams = `streams: { file: { source: ${await clipPath('h264')} } }\n`;
  writeFileSync(
    config,
    `${ports}${streams}hooks: [{ while: published, command: ${JSON.stringify(lasting.script)} }]\n`,
  );
  await using server = start(process.execPath, [join(root, 'src/cli/main.ts'), 'serve', '--config', config]);
  await eventually(() => lasting.pids().length === 2);
  expect(lasting.pids().every(isAlive)).toBe(true);
  server.child.kill('SIGKILL');
  await server.finished;
  await eventually(() => !lasting.pids().some(isAlive));
});
