import { describe, expect, it } from 'vitest';
import { hooks, liveHub } from '../../test/support/live-hub.ts';
import { audio, picture, sound, video } from '../../test/support/units.ts';

describe('renditions', () => {
  it('are made once for all who hold them and end with the last', async () => {
    const requests: string[] = [];
    let stopped = 0;
    const { hub, publish, read } = liveHub({
      startRendition: ({ stream, track, request }) => {
        requests.push(`${stream}:${track}:${request.codec}`);
        return () => stopped++;
      },
    });
    publish();
    const stream = hub.get('live')!;
    const a = stream.acquireRendition(1, 'aac');
    const b = stream.acquireRendition(1, 'aac');
    expect(requests).toEqual(['live:1:aac']);
    const track = { ...audio, id: a.id };
    stream.renditions.announce(1, track);
    expect(await a.track).toBe(track);
    const reader = read('aac', [0, a.id]);
    stream.renditions.write(sound(7, { track }));
    expect(reader.seen()).toEqual(['a7']);
    a.release();
    a.release();
    expect(stopped).toBe(0);
    b.release();
    expect(stopped).toBe(1);
  });

  it('are the same for equal wishes, others for others, each under an id of its own that comes again', () => {
    const requests: number[] = [];
    const { hub, publish } = liveHub({
      startRendition: ({ id }) => {
        requests.push(id);
        return () => {};
      },
    });
    publish();
    const stream = hub.get('live')!;
    const small = stream.acquireRendition(0, { codec: 'h264', width: 640, bitRate: 500_000 });
    const same = stream.acquireRendition(0, { bitRate: 500_000, width: 640, codec: 'h264' });
    const plain = stream.acquireRendition(0, { codec: 'h264' });
    expect(stream.acquireRendition(0, 'h264').id).toBe(plain.id);
    expect(same.id).toBe(small.id);
    expect(requests).toEqual([small.id, plain.id]);
    expect(stream.renditions.count).toBe(2);
    for (const one of [small, same]) one.release();
    expect(stream.renditions.count).toBe(1);
    expect(stream.acquireRendition(0, { codec: 'h264', width: 640, bitRate: 500_000 }).id).toBe(small.id);
    // Publishers' own ids are kept out of the way.
    const taken = hub.publish(
      'other',
      { id: 'a', door: 'test', remote: '' },
      [{ ...video, id: small.id }],
      hooks,
    );
    expect(taken).toBeDefined();
    expect(hub.get('other')!.tracks.map(({ id }) => id)).toEqual([0]);
  });

  it('let in what belongs to one of them, and nothing else', () => {
    const { hub, publish, read } = liveHub({ startRendition: () => () => {} });
    publish();
    const stream = hub.get('live')!;
    const { id } = stream.acquireRendition(1, { codec: 'aac', channels: 1 });
    const reader = read('aac', [1, id, id + 1]);
    for (const other of [1, id + 1]) {
      const track = { ...audio, id: other };
      stream.renditions.announce(1, track);
      stream.renditions.write(sound(1, { track }));
    }
    const track = { ...audio, id };
    stream.renditions.write(sound(2, { track }));
    stream.renditions.announce(1, track);
    stream.renditions.write(sound(3, { track }));
    expect(reader.seen()).toEqual(['a3']);
  });

  it('fail with a sentence when no worker can make them', async () => {
    const { hub, publish } = liveHub();
    publish();
    await expect(hub.get('live')!.acquireRendition(1, 'aac').track).rejects.toThrow('no worker');
  });

  it('may come after an attempt that failed: who holds them learns of both', async () => {
    let fail = (_reason: string, _more: { retried: boolean }) => {};
    let stopped = 0;
    const { hub, publish } = liveHub({
      startRendition: (_, onFailure) => {
        fail = onFailure;
        return () => stopped++;
      },
    });
    publish();
    const stream = hub.get('live')!;
    const first = stream.acquireRendition(1, 'aac');
    fail('its worker crashed.', { retried: true });
    expect(await first.trouble).toBe('The sound cannot be turned into AAC: its worker crashed.');
    expect([stopped, stream.renditions.count]).toEqual([0, 1]);
    const track = { ...audio, id: first.id };
    stream.renditions.announce(1, track);
    expect(await first.track).toBe(track);
    // Who comes later gets it at once, whatever went wrong before.
    expect(await stream.acquireRendition(1, 'aac').track).toBe(track);
  });

  it('end with the first attempt where another one would fail too', async () => {
    let stopped = 0;
    const { hub, publish } = liveHub({
      startRendition: (_, onFailure) => {
        queueMicrotask(() => onFailure('16001 Hz is no rate of AAC.', { retried: false }));
        return () => stopped++;
      },
    });
    publish();
    const rendition = hub.get('live')!.acquireRendition(1, 'aac');
    await expect(rendition.track).rejects.toThrow('16001 Hz');
    expect(await rendition.trouble).toMatch('16001 Hz');
    expect(stopped).toBe(1);
  });

  it('of pictures are asked for keyframes instead of the publisher, who is asked for all else', () => {
    const asked: string[] = [];
    const { hub, publish, clock } = liveHub({ startRendition: () => () => {} });
    publish([video, audio], { ...hooks, requestKeyframe: () => asked.push('publisher') });
    const stream = hub.get('live')!;
    const { id } = stream.acquireRendition(0, 'h264');
    stream.requestKeyframe([id]);
    expect(asked).toEqual(['publisher']);
    const announced = { ...video, id };
    stream.renditions.announce(0, announced, () => asked.push('maker'));
    clock.advance(2000);
    stream.requestKeyframe([id, 1]);
    stream.requestKeyframe([id]);
    stream.requestKeyframe([0, 1]);
    expect(asked).toEqual(['publisher', 'maker', 'publisher']);
  });

  it('go on without a step back when their maker begins anew with the last keyframe of the source', () => {
    const { hub, publish, read } = liveHub({ startRendition: () => () => {} });
    publish();
    const stream = hub.get('live')!;
    const { id } = stream.acquireRendition(0, 'h264');
    const track = { ...video, id };
    stream.renditions.announce(0, track);
    const reader = read('h264', [id]);
    const write = (n: number) => stream.renditions.write({ ...picture(n), track });
    for (const n of [0, 1, 2, 3]) write(n);
    // The next maker: its keyframe was there already, and what follows hangs on that.
    for (const n of [0, 1, 2, 3, 4, 5]) write(n);
    for (const n of [25, 26]) write(n);
    expect(reader.seen()).toEqual(['v0K', 'v1', 'v2', 'v3', 'v25K', 'v26']);
  });
});
