import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Hub } from '#hub/hub.ts';
import { LinkClient, type Task } from '#link/client.ts';
import type { FramedPicture } from '#link/picture.ts';
import { LinkServer } from '#link/server.ts';
import type { AccessUnit } from '#media/access-unit.ts';
import type { Track } from '#media/track.ts';
import { audio, picture, sound, video } from '../support/units.ts';

const task: Task = {
  id: 't1',
  epoch: 1,
  spec: { kind: 'file-source', stream: 'cam', path: 'x.mp4', loop: true },
};

let hub: Hub;
let http: Server;
let link: LinkServer;
let client: LinkClient;
let currentEpoch = 1;

function url(token = link.token): string {
  return `ws://127.0.0.1:${(http.address() as AddressInfo).port}/api/link?token=${token}`;
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5));
}

beforeEach(async () => {
  currentEpoch = 1;
  hub = new Hub({ holdMs: 0 });
  link = new LinkServer({ hub, accepts: (_worker, id, epoch) => id === task.id && epoch === currentEpoch });
  http = createServer();
  http.on('upgrade', (request, socket, head) => link.handleUpgrade(request, socket, head));
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  const hello = new Promise((resolve) => link.events.on('hello', resolve));
  client = await LinkClient.connect(url(), 'w1');
  await hello;
});

afterEach(async () => {
  client.close();
  link.close();
  hub.close('test over');
  http.close();
  http.closeAllConnections();
});

describe('a worker on the link', () => {
  it('is refused without the token', async () => {
    await expect(LinkClient.connect(url('wrong'), 'w2')).rejects.toThrow('401');
  });

  it('publishes a stream whose units keep their timestamps', async () => {
    const publication = client.publish(task, 'cam', [video, audio], () => {});
    await until(() => hub.get('cam') !== undefined);
    const got: AccessUnit[] = [];
    const feed = hub.get('cam')!.feed('test', [0, 1], () => ({ write: (unit) => got.push(unit) }));
    const unit = { ...picture(25), pts: 2 ** 40 + 3, dts: 2 ** 40 + 1, ntp: 1_700_000_000_000.125 };
    publication.write(unit);
    publication.write(sound(3));
    await until(() => got.length === 2);
    expect(got[0]).toMatchObject({
      pts: unit.pts,
      dts: unit.dts,
      ntp: unit.ntp,
      keyframe: true,
      payload: unit.payload,
    });
    expect(got[1]!.track).toEqual(audio);
    publication.close('done');
    await until(() => hub.get('cam') === undefined);
    expect(feed.readers.size).toBe(0);
  });

  it('lets pictures that an algorithm gave back go while the link is full, and none that was asked for', async () => {
    const came: FramedPicture[] = [];
    link.events.on('picture', (_worker, given) => came.push(given));
    const jpeg = Buffer.alloc(256 << 10);
    jpeg.writeUInt16BE(0xffd8);
    jpeg.writeUInt16BE(0xffd9, jpeg.length - 2);
    const given = { task: task.id, epoch: 1, width: 8, height: 8, ntp: 1, jpeg };
    // At once: nobody takes anything from the socket meanwhile.
    for (let pts = 0; pts < 200; pts++) client.sendPicture({ ...given, pts, byAlgorithm: true });
    client.sendPicture({ ...given, pts: 200 });
    await until(() => came.some(({ pts }) => pts === 200));
    expect(came.length).toBeGreaterThan(10);
    expect(came.length).toBeLessThan(150);
  });

  it('announces a changed format before the first unit that has it', async () => {
    const publication = client.publish(task, 'cam', [video], () => {});
    await until(() => hub.get('cam') !== undefined);
    const got: AccessUnit[] = [];
    hub.get('cam')!.feed('test', [0], () => ({ write: (unit) => got.push(unit) }));
    const changed = { ...video, format: { ...video.format, width: 1920 } };
    publication.write(picture(0));
    publication.write(picture(25, { track: changed }));
    await until(() => got.length === 2);
    expect(got.map(({ track }) => (track as typeof video).format.width)).toEqual([640, 1920]);
  });

  it('loses its stream when its connection breaks', async () => {
    client.publish(task, 'cam', [video], () => {});
    await until(() => hub.get('cam') !== undefined);
    client.close();
    await until(() => hub.get('cam') === undefined);
    expect(hub.streams).toEqual([]);
  });

  it('may not publish for a task that is over', async () => {
    currentEpoch = 2;
    const reason = await new Promise<string>((resolve) => client.publish(task, 'cam', [video], resolve));
    expect(reason).toBe('The task is over.');
    expect(hub.get('cam')).toBeUndefined();
  });

  it('reads a stream from its last keyframe on, format first', async () => {
    const publication = hub.publish('live', { id: 'p', door: 'test', remote: '' }, [video, audio], {
      onClose: () => {},
    });
    for (let n = 0; n < 30; n++) publication.write(picture(n));
    const order: string[] = [];
    let tracks: readonly Track[] = [];
    client.subscribe('live', {
      tracks: (list) => {
        tracks = list;
        order.push('tracks');
      },
      unit: ({ pts, track }) => order.push(`${track.format.kind}${pts / 3600}`),
      end: (reason) => order.push(reason),
    });
    await until(() => order.length === 6);
    expect(order).toEqual(['tracks', 'video25', 'video26', 'video27', 'video28', 'video29']);
    expect(tracks).toEqual([video, audio]);
    publication.close('camera off');
    await until(() => order.length === 7);
    expect(order[6]).toBe('camera off');
  });

  it('gets the pictures of a held subscription when it wants one, whole and marked where they end', async () => {
    const publication = hub.publish('live', { id: 'p', door: 'test', remote: '' }, [video, audio], {
      onClose: () => {},
    });
    for (let n = 0; n < 30; n++) publication.write(picture(n));
    const order: string[] = [];
    const subscription = client.subscribe(
      'live',
      {
        tracks: (tracks) => order.push(`${tracks.length} track`),
        unit: ({ pts }, { more, leftOut }) =>
          order.push(`${pts / 3600}${more ? ' more' : ''}${leftOut > 0 ? ` behind ${leftOut}` : ''}`),
        end: () => {},
      },
      { kind: 'video', held: true },
    );
    await until(() => order.length === 1);
    subscription.want({ pts: 31 * 3600 });
    // The answer of a later request shows that nothing came for this one.
    const other = client.subscribe('live', {
      tracks: () => order.push('other'),
      unit: () => {},
      end: () => {},
    });
    await until(() => order.includes('other'));
    other.close();
    expect(order).toEqual(['1 track', 'other']);
    publication.write(picture(30));
    publication.write(picture(31));
    publication.write(picture(32));
    await until(() => order.length > 8);
    expect(order.slice(2)).toEqual(['25 more', '26 more', '27 more', '28 more', '29 more', '30 more', '31']);
    // A keyframe comes before anything is wanted again: what stands before it does not go.
    for (let n = 33; n < 52; n++) publication.write(picture(n));
    subscription.want({});
    await until(() => order.length > 10);
    expect(order.slice(9)).toEqual(['50 more behind 18', '51']);
    publication.close('camera off');
  });

  it('is told at once when there is no such stream', async () => {
    const reason = await new Promise<string>((end) => client.subscribe('nowhere', { unit: () => {}, end }));
    expect(reason).toBe('There is no stream "nowhere".');
  });

  it('stops getting units when it unsubscribes, and the feed is gone', async () => {
    const publication = hub.publish('live', { id: 'p', door: 'test', remote: '' }, [video], {
      onClose: () => {},
    });
    const subscription = client.subscribe('live', { unit: () => {}, end: () => {} });
    publication.write(picture(0));
    await until(() => hub.get('live')!.feeds.length === 1);
    subscription.close();
    await until(() => hub.get('live')!.feeds.length === 0);
    expect(hub.get('live')!.readerCount).toBe(0);
  });

  it('is given the tracks of a publisher that has others, in the same subscription', async () => {
    const info = { id: 'p', door: 'test', remote: '' };
    hub.publish('live', info, [video], { onClose: () => {} }).write(picture(0));
    const order: string[] = [];
    client.subscribe('live', {
      tracks: (tracks) => order.push(tracks.map(({ format }) => format.codec).join()),
      unit: ({ track }) => order.push(`unit ${track.format.codec}`),
      end: (reason) => order.push(reason),
    });
    await until(() => order.length >= 2);
    const h265 = { ...video, format: { ...video.format, codec: 'h265' as const } };
    hub.publish('live', info, [h265], { onClose: () => {} }).write(picture(0, { track: h265 }));
    await until(() => order.includes('unit h265'));
    expect(order).toEqual(['h264', 'unit h264', 'h265', 'unit h265']);
  });

  it('makes a rendition that reaches the feeds of the stream', async () => {
    const publication = hub.publish('live', { id: 'p', door: 'test', remote: '' }, [video, audio], {
      onClose: () => {},
    });
    publication.write(picture(0));
    // The starter is injected by the server; here only the way back is under test.
    const rendition = hub.get('live')!.acquireRendition(1, 'aac');
    const aac = { ...audio, id: rendition.id };
    const outlet = client.publish(task, 'live', [aac], () => {}, { of: 1 });
    const got: AccessUnit[] = [];
    hub.get('live')!.feed('test', [0, rendition.id], () => ({ write: (unit) => got.push(unit) }));
    got.length = 0;
    outlet.write(sound(9, { track: aac }));
    await until(() => got.length === 1);
    expect(got[0]).toMatchObject({ pts: 9 * 1024, track: { id: rendition.id } });
    await rendition.track.catch(() => {});
    rendition.release();
  });
});
