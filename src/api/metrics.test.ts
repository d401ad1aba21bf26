import { describe, expect, it } from 'vitest';
import { Reader } from '#hub/reader.ts';
import { statistics } from '../../test/support/api.ts';
import { api } from '../../test/support/http-api.ts';

describe('the metrics', () => {
  it('give Prometheus its counters, and a counter of a reader outlives the reader', async () => {
    const { get, publish, runs, clock } = api();
    const { stream } = publish('a');
    const { run } = runs.acquire({
      ...{ stream: 'a', algorithm: 'people' },
      holder: { kind: 'api', id: 'api', reason: 'test' },
    });
    runs.statistics('task-1', 1, statistics);
    const feed = stream.feed('test', [0], () => ({ write: () => {} }));
    const transport = { write: () => {}, backlog: 0, onDrain: () => {}, close: () => {} };
    const reader = new Reader({ id: 'r', door: 'rtsp', remote: 'x', transport, clock, onClose: () => {} });
    const other = new Reader({ id: 'o', door: 'mse', remote: 'x', transport, clock, onClose: () => {} });
    feed.attach(reader);
    feed.attach(other);
    reader.counters.bytes = 1000;
    reader.counters.droppedVideo = 3;
    const text = (await get('/metrics')).body;
    expect(text).toContain('sluice_streams{state="live"} 1');
    expect(text).toContain('sluice_readers{stream="a",door="rtsp"} 1');
    expect(text).toContain('sluice_reader_bytes_sent_total{stream="a",door="rtsp"} 1000');
    expect(text).toContain('sluice_reader_dropped_access_units_total{stream="a",door="rtsp",kind="video"} 3');
    expect(text).toContain(
      `sluice_run_frames_total{run="${run.id}",stream="a",algorithm="people",outcome="inferred"} 8`,
    );
    expect(text).toContain('sluice_worker_restarts_total{worker="pipeline-1"} 2');
    expect(text).toContain('process_cpu_seconds_total');
    feed.detach(reader);
    const later = (await get('/metrics')).body;
    expect(later).not.toContain('sluice_readers{stream="a",door="rtsp"}');
    expect(later).toContain('sluice_reader_bytes_sent_total{stream="a",door="rtsp"} 1000');
    stream.end('over');
    expect((await get('/metrics')).body).not.toContain('stream="a",door');
  });
});
