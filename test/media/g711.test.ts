import { describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { barcodeClip } from '../support/media.ts';
import { start } from '../support/process.ts';
import { eventually, sluice, type TestSluice } from '../support/sluice.ts';

type Workers = { workers: { role: string; pid?: number; tasks: { id: string }[] }[] };

/** A page's side of the MSE door, as far as this test needs it. */
function watch(server: TestSluice, stream: string) {
  const socket = new WebSocket(`${server.http.replace('http', 'ws')}/${stream}/mse`);
  const seen = { mime: '', unsupported: [] as unknown[], fragments: 0 };
  socket.on('message', (data: Buffer, binary) => {
    if (binary) seen.fragments++;
    else {
      const message = JSON.parse(data.toString()) as { type: string; mime: string; unsupported: unknown[] };
      if (message.type === 'stream')
        Object.assign(seen, { mime: message.mime, unsupported: message.unsupported });
    }
  });
  return { seen, socket };
}

/** Publishes `live`, with pictures and G.711. */
async function publishG711(server: TestSluice) {
  const clip = await barcodeClip({ seconds: 10, audio: 'pcma', container: 'mkv' });
  const input = ['-v', 'error', '-re', '-stream_loop', '-1', '-i', clip, '-c', 'copy'];
  return start('ffmpeg', [...input, '-f', 'rtsp', '-rtsp_transport', 'tcp', `${server.rtsp}/live`]);
}

describe('G.711 for a page', () => {
  it('is made AAC once for all who listen, and only while somebody does', async () => {
    await using server = await sluice('demo: false');
    await using _publisher = await publishG711(server);
    await server.live('live');
    const tasks = async () => {
      const { workers } = await server.get<Workers>('/api/workers');
      return workers.flatMap((worker) => worker.tasks).length;
    };
    expect(await tasks()).toBe(0);

    const first = watch(server, 'live');
    await eventually(() => first.seen.mime.includes('mp4a.40.2') && first.seen.fragments > 50);
    expect(first.seen.mime).toMatch(/avc1\.[0-9a-f]{6},mp4a\.40\.2/);
    expect(first.seen.unsupported).toEqual([]);
    const second = watch(server, 'live');
    await eventually(() => second.seen.mime.includes('mp4a.40.2') && second.seen.fragments > 50);
    expect(await tasks()).toBe(1);

    first.socket.close();
    second.socket.close();
    await eventually(async () => (await tasks()) === 0);
  });

  it('joins the picture of a page that went without it, when its worker comes after all', async () => {
    await using server = await sluice('demo: false');
    await using _publisher = await publishG711(server);
    await server.live('live');
    const page = watch(server, 'live');
    const worker = await eventually(async () => {
      const { workers } = await server.get<Workers>('/api/workers');
      return workers[0]?.pid;
    });
    process.kill(worker, 'SIGSTOP');
    await eventually(() => page.seen.fragments > 10);
    expect(page.seen.unsupported).toMatchObject([{ codec: 'pcma' }]);
    process.kill(worker, 'SIGCONT');
    await eventually(() => page.seen.mime.includes('mp4a.40.2'));
    expect(page.seen.unsupported).toEqual([]);
    const { fragments } = page.seen;
    await eventually(() => page.seen.fragments > fragments + 50);
    page.socket.close();
  });
});
