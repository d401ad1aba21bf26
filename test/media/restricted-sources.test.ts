import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { copyFile, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer, type RequestListener } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { type AddressInfo, createServer as createTcpServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { Input } from '#pipelines/av/input.ts';
import { guardedWay, openWay } from '#pipelines/network-way.ts';
import { openFile } from '#pipelines/open-file.ts';
import { PictureLoop } from '#pipelines/picture-loop.ts';
import { forbidInner } from '#util/guarded-lookup.ts';
import { selfSigned } from '../support/certificate.ts';
import { barcodeClip } from '../support/media.ts';
import { run } from '../support/process.ts';

/**
 * FFmpeg at the sources that came over the API. Behind the guard of what it fetches: the servers of the test are on this machine, so the guard is told that
 * 127.0.0.1 may be reached, and 127.0.0.2 stands for all that may not; everything else is as in a worker.
 */

let folder: string;
const open: Server[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sluice-guard-'));
  const clip = await barcodeClip({ seconds: 4, gop: 25 });
  const hls = ['-f', 'hls', '-hls_time', '1', '-hls_list_size', '0', '-hls_playlist_type', 'vod'];
  const made = await run('ffmpeg', [
    '-v',
    'error',
    '-i',
    clip,
    '-c',
    'copy',
    ...hls,
    join(folder, 'live.m3u8'),
  ]);
  if (made.code !== 0) throw new Error(made.stderr);
});
afterEach(() => {
  for (const server of open.splice(0)) server.close();
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function listening<T extends Server>(server: T, host = '127.0.0.1'): Promise<number> {
  open.push(server);
  server.listen(0, host);
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

/** Serves the folder; `playlist` may say another text. */
const files =
  (asked: string[], playlist = (text: string) => text): RequestListener =>
  async (request, response) => {
    const path = (request.url ?? '').split('?')[0] ?? '';
    asked.push(path);
    const body = await readFile(join(folder, path)).catch(() => undefined);
    if (!body) return void response.writeHead(404).end();
    const isPlaylist = path.endsWith('.m3u8');
    response.writeHead(200, isPlaylist ? { 'content-type': 'application/vnd.apple.mpegurl' } : {});
    response.end(isPlaylist ? playlist(body.toString()) : body);
  };

const way = (url: string, insecure = false) =>
  guardedWay(url, {
    trust: { insecure },
    lookup: (_host, _options, callback) => callback(null, [{ address: '127.0.0.1', family: 4 }]),
    forbid: (address, shown) => {
      if (address !== '127.0.0.1') forbidInner(address, shown);
    },
  });

/** Opens it as a source of the API does, and reads so many packets. */
function packets(url: string, count: number, insecure = false): Promise<number> {
  return packetsBy(way(url, insecure), count);
}

async function packetsBy(opened: ReturnType<typeof openWay>, count: number): Promise<number> {
  await using guarded = await opened;
  try {
    await using input = await Input.open(guarded.url, {
      options: guarded.options,
      signal: AbortSignal.timeout(30_000),
    });
    let read = 0;
    while (read < count && (await input.read())) read++;
    return read;
  } catch (error) {
    throw guarded.refusal ?? error;
  }
}

it('FFmpeg plays HLS and MPEG-TS through the guard, names and all', async () => {
  const asked: string[] = [];
  const port = await listening(createServer(files(asked)));
  expect(await packets(`http://camera.invalid:${port}/live.m3u8`, 120)).toBe(120);
  expect(asked).toContain('/live0.ts');
  expect(asked).toContain('/live1.ts');
  expect(await packets(`http://camera.invalid:${port}/live0.ts`, 20)).toBe(20);
});

it('FFmpeg plays HLS over TLS through the guard, redirects and absolute addresses included', async () => {
  await using pair = await selfSigned();
  const tls = { cert: readFileSync(pair.cert), key: readFileSync(pair.key) };
  const asked: string[] = [];
  const port: number = await listening(
    createTlsServer(
      tls,
      files(asked, (text) => text.replaceAll('live', `https://cdn.invalid:${port}/live`)),
    ),
  );
  const away = await listening(
    createServer((_request, response) =>
      response.writeHead(302, { location: `https://camera.invalid:${port}/live.m3u8` }).end(),
    ),
  );
  expect(await packets(`http://camera.invalid:${away}/`, 60, true)).toBe(60);
  expect(asked).toContain('/live0.ts');
  await expect(packets(`https://camera.invalid:${port}/live.m3u8`, 1)).rejects.toMatchObject({
    code: 'INPUT_CERTIFICATE_REFUSED',
  });
});

it('FFmpeg plays nothing of a server whose certificate is not trusted, whoever wrote the source', async () => {
  await using pair = await selfSigned();
  const tls = { cert: readFileSync(pair.cert), key: readFileSync(pair.key) };
  const { fingerprint256: fingerprint } = new X509Certificate(tls.cert);
  const asked: string[] = [];
  const serve = (playlist?: (text: string) => string) =>
    listening(createTlsServer(tls, files(asked, playlist)));
  const port = await serve();
  const url = `https://127.0.0.1:${port}/live.m3u8`;
  const refused = await packetsBy(openWay(`${url}?token=secret`, {}), 1).catch((error: unknown) => error);
  expect(refused).toMatchObject({ code: 'INPUT_CERTIFICATE_REFUSED' });
  const { message } = refused as Error;
  expect(message).toContain(`https://127.0.0.1:${port}`);
  expect(message).toContain(fingerprint);
  expect(message).not.toContain('secret');
  expect(asked).toEqual([]);
  const another = fingerprint.replaceAll(/[0-9]/g, 'F');
  await expect(packetsBy(openWay(url, { fingerprint: another }), 1)).rejects.toMatchObject({
    code: 'INPUT_CERTIFICATE_REFUSED',
  });
  expect(await packetsBy(openWay(url, { fingerprint }), 60)).toBe(60);
  expect(await packetsBy(openWay(url, { insecure: true }), 60)).toBe(60);
  // Whose certificate it is, is the source; who else is led to has to be trusted by itself.
  const elsewhere = await serve((text) => text.replaceAll('live', `https://127.0.0.1:${port}/live`));
  const led = `https://127.0.0.1:${elsewhere}/live.m3u8`;
  await expect(packetsBy(openWay(led, { fingerprint }), 1)).rejects.toMatchObject({
    code: 'INPUT_CERTIFICATE_REFUSED',
  });
});

it('FFmpeg gets to no address that it may not, whatever a playlist or a redirect says', async () => {
  let reached = 0;
  const inner = await listening(
    createTcpServer(() => void reached++),
    '127.0.0.2',
  );
  const lead = async (target: string) => {
    const playlist = (text: string) => text.replaceAll(/^live\d\.ts$/gm, target);
    const port = await listening(createServer(files([], playlist)));
    return packets(`http://camera.invalid:${port}/live.m3u8`, 1).catch((error: unknown) => error);
  };
  const at = `127.0.0.2:${inner}`;
  for (const target of [`http://${at}/x.ts`, `https://${at}/x.ts`, `http://2130706434:${inner}/x.ts`])
    expect(await lead(target), target).toMatchObject({ code: 'SOURCE_FORBIDDEN' });
  for (const target of [
    `tcp://${at}/x.ts`,
    `httpproxy://${at}/x.ts`,
    `crypto+http://${at}/x.ts`,
    `crypto:tcp://${at}/x.ts`,
    `concat:http://${at}/x.ts`,
    'file:///etc/hostname',
    `udp://${at}/x.ts`,
    `rtmp://${at}/x.ts`,
  ])
    expect(await lead(target), target).toBeInstanceOf(Error);
  const away = await listening(
    createServer((_request, response) => response.writeHead(302, { location: `http://${at}/x.ts` }).end()),
  );
  await expect(packets(`http://camera.invalid:${away}/`, 1)).rejects.toMatchObject({
    code: 'SOURCE_FORBIDDEN',
  });
  await expect(packets(`http://${at}/`, 1)).rejects.toMatchObject({ code: 'SOURCE_FORBIDDEN' });
  expect(reached).toBe(0);
});

it('FFmpeg opens a file of a folder, and no playlist there that names files elsewhere', async () => {
  const films = join(folder, 'films');
  await mkdir(films);
  await copyFile(join(folder, 'live0.ts'), join(films, 'a.ts'));
  const playlist = await readFile(join(folder, 'live.m3u8'), 'utf8');
  await writeFile(join(films, 'list.m3u8'), playlist.replaceAll('live', `${folder}/live`));
  const signal = AbortSignal.timeout(30_000);
  const open = async (name: string, within?: readonly string[]) => {
    await using input = await openFile(join(films, name), signal, within);
    return input.container;
  };
  expect(await open('list.m3u8')).toBe('hls');
  expect(await open('a.ts', [films])).toBe('mpegts');
  await expect(open('list.m3u8', [films])).rejects.toMatchObject({ code: 'INPUT_UNREADABLE' });
  await expect(open('a.ts', [folder + '/other'])).rejects.toMatchObject({ code: 'SOURCE_FORBIDDEN' });
});

it('FFmpeg shows a picture or a clip of a folder as a stand-by, and nothing that names other files', async () => {
  const cards = join(folder, 'cards');
  await mkdir(cards);
  const drawn = async (name: string, ...codec: string[]) => {
    const picture = ['-f', 'lavfi', '-i', 'color=red:size=64x64', '-frames:v', '1', ...codec];
    const made = await run('ffmpeg', ['-v', 'error', ...picture, '-update', '1', join(cards, name)]);
    if (made.code !== 0) throw new Error(made.stderr);
  };
  for (const name of ['a.png', 'a.jpg', 'a.bmp', 'a.gif', 'a.tiff']) await drawn(name);
  await copyFile(join(folder, 'live0.ts'), join(cards, 'clip.ts'));
  const playlist = (await readFile(join(folder, 'live.m3u8'), 'utf8')).replaceAll('live', `${folder}/live`);
  await writeFile(join(cards, 'list.m3u8'), playlist);
  await writeFile(join(cards, 'list.png'), playlist);
  await writeFile(join(cards, 'list.txt'), `ffconcat version 1.0\nfile ${join(folder, 'live0.ts')}\n`);
  await symlink(join(folder, 'live0.ts'), join(cards, 'out.ts'));
  // Numbers in a name stand for other files to FFmpeg.
  await copyFile(join(cards, 'list.png'), join(cards, 'n%d.png'));
  await symlink(join(cards, 'a.png'), join(cards, 'n0.png'));
  const open = async (name: string, within?: readonly string[]) => {
    await using loop = await PictureLoop.open(join(cards, name), { within }, AbortSignal.timeout(30_000));
    return loop.format.codec;
  };
  for (const name of ['a.png', 'a.jpg', 'a.bmp', 'a.gif', 'a.tiff', 'clip.ts'])
    expect(await open(name, [cards]), name).toBe('h264');
  expect(await open('list.m3u8')).toBe('h264');
  for (const name of ['list.m3u8', 'list.png', 'list.txt', 'n%d.png'])
    await expect(open(name, [cards]), name).rejects.toMatchObject({ code: 'INPUT_UNREADABLE' });
  for (const name of ['out.ts', '../live0.ts'])
    await expect(open(name, [cards]), name).rejects.toMatchObject({ code: 'SOURCE_FORBIDDEN' });
});
