import { describe, expect, it } from 'vitest';
import { Reader } from '#hub/reader.ts';
import { api } from '../../test/support/http-api.ts';

describe('streams', () => {
  it('are listed with their tracks, publisher and readers', async () => {
    const { get, publish, clock } = api();
    const { stream } = publish('yard/gate-1');
    const feed = stream.feed('test', [0], () => ({ write: () => {} }));
    const transport = { write: () => {}, backlog: 0, onDrain: () => {}, close: () => {} };
    feed.attach(new Reader({ id: 'r1', door: 'mse', remote: 'x', transport, clock, onClose: () => {} }));
    const answer = await get('/api/streams');
    expect(answer.statusCode).toBe(200);
    expect(answer.json()).toMatchObject({
      streams: [
        {
          name: 'yard/gate-1',
          state: 'live',
          publisher: { door: 'rtsp', remote: '127.0.0.1:5000' },
          tracks: [
            { id: 0, kind: 'video', codec: 'h264', codecString: 'avc1.42c01e', width: 640, height: 360 },
          ],
          received: { units: 0, bytes: 0, discarded: 0 },
          readers: [{ id: 'r1', door: 'mse', dropped: { video: 0, audio: 0, skips: 0 } }],
        },
      ],
    });
  });

  it('show how the clocks of their publisher run, where its door measures them', async () => {
    const { get, hub, publish } = api();
    publish('plain');
    const track = { ...hub.get('plain')!.tracks[0]!, id: 7 };
    const clock = { track: 7, source: 'sender-report', skewPpm: -199.7, lagMs: 1.2345 } as const;
    const info = { id: 'p2', door: 'rtsp', remote: 'x' };
    hub.publish('timed', info, [track], { onClose: () => {}, clocks: () => [clock] });
    const { streams } = (await get('/api/streams')).json<{ streams: { tracks: { clock?: object }[] }[] }>();
    expect(streams.map(({ tracks }) => tracks[0]?.clock)).toEqual([
      undefined,
      { source: 'sender-report', skewPpm: -200, lagMs: 1.2 },
    ]);
  });

  it('show and count what was lost on the way from their publisher, and on the way to a reader', async () => {
    const { get, hub, publish, clock } = api();
    publish('plain');
    const [track] = hub.get('plain')?.tracks ?? [];
    if (!track) throw new Error('no track');
    const sound = { packets: 50, lost: 2, late: 1, duplicate: 4, concealed: 0 };
    const reception = () => [
      { track: 3, packets: 100, lost: 5, late: 0, duplicate: 0, concealed: 9 },
      { track: 4, ...sound },
    ];
    const info = { id: 'p2', door: 'rtsp', remote: 'x' };
    const tracks = [3, 4].map((id) => ({ ...track, id }));
    const { stream } = hub.publish('lossy', info, tracks, { onClose: () => {}, reception });
    const feed = stream.feed('test', [3], () => ({ write: () => {} }));
    const transport = { write: () => {}, backlog: 0, onDrain: () => {}, close: () => {} };
    const reader = new Reader({ id: 'r', door: 'rtsp', remote: 'x', transport, clock, onClose: () => {} });
    feed.attach(reader);
    reader.lost = 7;
    const { streams } = (await get('/api/streams')).json<{ streams: unknown[] }>();
    expect(streams).toMatchObject([
      {
        publisher: { packets: 150, lost: 7, late: 1, duplicate: 4, concealed: 9 },
        tracks: [{ losses: { lost: 5, concealed: 9 } }, { losses: sound }],
        readers: [{ lost: 7 }],
      },
      { publisher: expect.not.objectContaining({ lost: expect.anything() }) },
    ]);
    const text = (await get('/metrics')).body;
    expect(text).toContain('sluice_publisher_packets_lost_total{stream="lossy",track="3"} 5');
    expect(text).toContain('sluice_publisher_packets_late_total{stream="lossy",track="4"} 1');
    expect(text).toContain('sluice_publisher_packets_duplicate_total{stream="lossy",track="4"} 4');
    expect(text).toContain('sluice_publisher_pictures_concealed_total{stream="lossy",track="3"} 9');
    expect(text).toContain('sluice_reader_packets_lost_total{stream="lossy",door="rtsp"} 7');
  });

  it('are found by their name with slashes, written as they are or percent-encoded', async () => {
    const { get, publish } = api();
    publish('yard/gate-1');
    for (const path of ['/api/streams/yard/gate-1', '/api/streams/yard%2Fgate-1']) {
      expect((await get(path)).json()).toMatchObject({ name: 'yard/gate-1' });
    }
    const missing = await get('/api/streams/nobody/here');
    expect(missing.statusCode).toBe(404);
    expect(missing.json()).toMatchObject({ error: { code: 'STREAM_UNKNOWN' } });
  });
});

describe('streams whose source is not there', () => {
  it('are listed with the reason', async () => {
    const source = {
      stream: 'cam',
      address: '/films/letter.mp4',
      state: 'failed',
      reason: 'letter.mp4 is no media file.',
      code: 'INPUT_UNREADABLE',
      since: 1000,
    };
    const { get } = api({ sources: () => [source] });
    const { streams } = (await get('/api/streams')).json<{ streams: object[] }>();
    expect(streams).toEqual([
      expect.objectContaining({
        name: 'cam',
        state: 'failed',
        since: '1970-01-01T00:00:01.000Z',
        source: {
          address: '/films/letter.mp4',
          state: 'failed',
          reason: 'letter.mp4 is no media file.',
          code: 'INPUT_UNREADABLE',
        },
        readers: [],
      }),
    ]);
  });
});
