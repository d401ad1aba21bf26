import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, connect, createServer, type Server } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { Hub } from '#hub/hub.ts';
import { RtmpServer } from '#servers/rtmp/server.ts';
import { listensOn, TcpPort } from '#util/tcp-port.ts';

const place = { host: '127.0.0.1', port: 0, setting: 'http.port' };
const opened: Server[] = [];

afterEach(() => {
  for (const server of opened.splice(0)) server.close();
});

async function echo() {
  const server = createServer((socket) => socket.pipe(socket));
  opened.push(server);
  const first = await TcpPort.take(place);
  first.giveTo(server);
  return { server, first };
}

async function says(port: number, text: string): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  socket.end(text);
  const [data] = (await once(socket, 'data')) as [Buffer];
  return data.toString();
}

describe('a TCP port taken for a server', () => {
  it('is where the server listens then; it leaves the old one and keeps its connections', async () => {
    const { server, first } = await echo();
    const old = connect(first.port, '127.0.0.1');
    old.write('a');
    await once(old, 'data');
    const second = await TcpPort.take(place);
    second.giveTo(server);
    expect((server.address() as AddressInfo).port).toBe(second.port);
    expect(await says(second.port, 'b')).toBe('b');
    await expect(says(first.port, 'c')).rejects.toThrow('ECONNREFUSED');
    old.write('d');
    expect(String((await once(old, 'data'))[0])).toBe('d');
    old.end();
    server.close();
    await once(server, 'close');
    await expect(says(second.port, 'e')).rejects.toThrow('ECONNREFUSED');
  });

  it('is kept from others, named when it is busy, and free again when it was released', async () => {
    const taken = await TcpPort.take(place);
    const again = { ...place, port: taken.port };
    await expect(TcpPort.take(again)).rejects.toMatchObject({
      code: 'PORT_BUSY',
      message: `Port ${taken.port} on 127.0.0.1 is in use by another program. Stop that program, or set http.port in sluice.yml to another port, or to 0 for any that is free.`,
    });
    taken.release();
    taken.release();
    (await TcpPort.take(again)).release();
    await expect(TcpPort.take({ ...place, host: '192.0.2.1' })).rejects.toMatchObject({
      code: 'ADDRESS_UNAVAILABLE',
    });
  });

  it('that RTMP wants and somebody has is an error of the start, which names the key and the way out', async () => {
    await using door = new RtmpServer({ hub: new Hub(), host: '127.0.0.1', port: 0 });
    const { port } = await door.listen();
    await using other = new RtmpServer({ hub: new Hub(), host: '127.0.0.1', port });
    await expect(other.listen()).rejects.toMatchObject({
      code: 'PORT_BUSY',
      message: expect.stringContaining('set rtmp.port in sluice.yml to another port, or to 0'),
    });
    const tls = { host: '127.0.0.1', port, files: { cert: '/nowhere', key: '/nowhere' } };
    await expect(other.tls.prepare(tls)).rejects.toMatchObject({ code: 'TLS_FILE_UNREADABLE' });
  });

  it('moves an HTTP server that answers and has time limits on both', async () => {
    const server = createHttpServer((_request, response) => response.end('well'));
    opened.push(server);
    for (let n = 0; n < 3; n++) {
      const port = await TcpPort.take(place);
      port.giveTo(server);
      const answer = await fetch(`http://127.0.0.1:${port.port}/`);
      expect(await answer.text()).toBe('well');
    }
    server.closeAllConnections();
  });

  it('is known as the same under another name of the same address', async () => {
    const { server, first } = await echo();
    expect(await listensOn(server, { ...place, port: first.port })).toBe(true);
    expect(await listensOn(server, { ...place, port: first.port + 1 })).toBe(false);
    expect(await listensOn(server, { ...place, host: '127.0.0.2', port: first.port })).toBe(false);
    expect(await listensOn(createServer(), place)).toBe(false);
  });
});
