import { once } from 'node:events';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { MemoryBus } from '#bus/memory-bus.ts';
import { domain, socketRoom, statistics } from '../../test/support/api.ts';
import { EventsSocket } from './events-socket.ts';
import { ResultsSocket } from './results-socket.ts';
import { ResultsViewers } from './results-viewers.ts';

const cleanUp: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of cleanUp.splice(0)) await close();
});

function results() {
  const parts = domain();
  const bus = new MemoryBus<{ results: { pts: number; objects?: unknown[]; large?: string } }>();
  const viewers = new ResultsViewers({ ...parts, bus });
  const socket = new ResultsSocket(viewers, parts.clock);
  const room = socketRoom((request, duplex, head) => socket.handleUpgrade(request, duplex, head, 'a'));
  cleanUp.push(async () => {
    viewers.close();
    const closed = socket.close();
    parts.clock.advance(1000);
    await closed;
  });
  return { ...parts, bus, socket, room };
}

/** Waits for what comes through the memory between the two ends. */
const until = (check: () => void) => vi.waitFor(check, { interval: 1, timeout: 2000 });

const ofType = (heard: readonly Record<string, unknown>[], type: string) =>
  heard.filter((message) => message['type'] === type);

describe('the WebSocket of results', () => {
  it('says hello, which runs there are, and each result to every viewer', async () => {
    const { room, bus, publish } = results();
    publish('a');
    const viewers = [room.connect(), room.connect()];
    for (const { heard } of viewers) await until(() => expect(heard).toHaveLength(2));
    expect(viewers[0]?.heard[0]).toMatchObject({ type: 'hello', viewer: expect.any(String) as string });
    expect(viewers[0]?.heard[1]).toEqual({ type: 'runs', runs: [] });
    bus.publish('results/a', { pts: 2 ** 32 + 1, objects: [] });
    bus.publish('results/b', { pts: 2 });
    for (const { heard } of viewers) await until(() => expect(heard).toHaveLength(3));
    const result = { pts: 2 ** 32 + 1, objects: [] };
    expect(viewers[1]?.heard[2]).toEqual({ type: 'result', result, rtpTimestamp: 1 });
  });

  it('starts a run for a viewer, shows each viewer whether it is its own, and ends it with its last viewer', async () => {
    const { room, runs, started, publish, clock } = results();
    publish('a');
    const [one, two] = [room.connect(), room.connect()];
    for (const { heard } of [one, two]) await until(() => expect(ofType(heard, 'runs')).toHaveLength(1));
    one.client.send(JSON.stringify({ type: 'run', algorithm: 'people', parameters: { threshold: 0.6 } }));
    await until(() => expect(ofType(two.heard, 'runs').length).toBeGreaterThan(1));
    expect(ofType(one.heard, 'runs').at(-1)).toMatchObject({
      runs: [{ algorithm: 'people', title: { en: 'People' }, leases: 1, mine: true, state: 'starting' }],
    });
    expect(ofType(two.heard, 'runs').at(-1)).toMatchObject({ runs: [{ mine: false }] });
    started[0]?.onState({ state: 'failed', reason: 'The model is gone.', code: 'MODEL_MISSING' });
    await until(() =>
      expect(ofType(two.heard, 'runs').at(-1)).toMatchObject({
        runs: [{ state: 'failed', reason: 'The model is gone.', code: 'MODEL_MISSING' }],
      }),
    );
    one.client.close();
    await until(() => expect(runs.list()[0]?.leases).toEqual([]));
    clock.advance(2000);
    expect(runs.list()).toEqual([]);
  });

  it('gives a run back when the viewer says so', async () => {
    const { room, runs, publish } = results();
    publish('a');
    const { client, heard } = room.connect();
    await until(() => expect(heard).toHaveLength(2));
    client.send(JSON.stringify({ type: 'run', algorithm: 'people' }));
    await until(() => expect(runs.list()).toHaveLength(1));
    client.send(JSON.stringify({ type: 'release', algorithm: 'people' }));
    await until(() => expect(runs.list()).toEqual([]));
    await until(() => expect(ofType(heard, 'runs').at(-1)).toEqual({ type: 'runs', runs: [] }));
  });

  it('starts what is configured for the stream while somebody watches', async () => {
    const { room, runs, publish } = results();
    publish('a');
    runs.setDefaults('a', [{ algorithm: 'people' }]);
    const { heard } = room.connect();
    await until(() => expect(ofType(heard, 'runs').at(-1)).toMatchObject({ runs: [{ mine: true }] }));
  });

  it('tells counters at most once a second', async () => {
    const { room, runs, publish, clock } = results();
    publish('a');
    runs.setDefaults('a', [{ algorithm: 'people' }]);
    const { heard } = room.connect();
    await until(() => expect(ofType(heard, 'runs')).toHaveLength(1));
    runs.statistics('task-1', 1, statistics);
    runs.statistics('task-1', 1, { ...statistics, offered: 11 });
    clock.advance(999);
    expect(ofType(heard, 'runs')).toHaveLength(1);
    clock.advance(1);
    await until(() => expect(ofType(heard, 'runs')).toHaveLength(2));
    expect(ofType(heard, 'runs').at(-1)).toMatchObject({ runs: [{ statistics: { offered: 11 } }] });
  });

  it('answers what it does not understand, and what cannot be, by an error with a code', async () => {
    const { room, publish } = results();
    publish('a');
    const { client, heard } = room.connect();
    await once(client, 'open');
    client.send('{');
    client.send(JSON.stringify({ type: 'dance' }));
    client.send(JSON.stringify({ type: 'run', algorithm: 'cats' }));
    await until(() => expect(ofType(heard, 'error')).toHaveLength(3));
    expect(ofType(heard, 'error').map((error) => error['code'])).toEqual([
      'REQUEST_INVALID',
      'REQUEST_INVALID',
      'ALGORITHM_UNKNOWN',
    ]);
  });

  it('spares a viewer that takes nothing, and the others lose nothing', async () => {
    const { room, bus, publish } = results();
    publish('a');
    const [slow, quick] = [room.connect(), room.connect()];
    for (const { heard } of [slow, quick]) await until(() => expect(heard).toHaveLength(2));
    slow.client.pause();
    const large = 'x'.repeat(100_000);
    for (let index = 0; index < 40; index++) {
      bus.publish('results/a', { pts: index, large });
      await until(() => expect(ofType(quick.heard, 'result')).toHaveLength(index + 1));
    }
    slow.client.resume();
    bus.publish('results/a', { pts: 40 });
    await until(() => expect(ofType(quick.heard, 'result')).toHaveLength(41));
    await until(() => expect(ofType(slow.heard, 'result').length).toBeGreaterThan(0));
    expect(ofType(slow.heard, 'result').length).toBeLessThan(41);
  });

  it('gives up a client that does not even answer a ping, and with it its runs', async () => {
    const { room, runs, publish, clock } = results();
    publish('a');
    runs.setDefaults('a', [{ algorithm: 'people' }]);
    const { client, heard } = room.connect();
    await until(() => expect(heard).toHaveLength(2));
    client.pause();
    clock.advance(60_000);
    await until(() => expect(runs.list()[0]?.leases).toEqual([]));
    client.terminate();
  });

  it('closes every socket and leaves no timer', async () => {
    const { room, socket, clock } = results();
    const { client } = room.connect();
    await once(client, 'open');
    const gone = once(client, 'close');
    await socket.close();
    expect((await gone)[0]).toBe(1001);
    expect(clock.pending).toBe(0);
  });
});

describe('the WebSocket of events', () => {
  it('hints at changes, at most four times a second of each kind', async () => {
    const { hub, runs, publish, clock } = domain();
    const socket = new EventsSocket({ hub, runs, clock });
    const room = socketRoom((request, duplex, head) => socket.handleUpgrade(request, duplex, head));
    const { client, heard } = room.connect();
    await once(client, 'open');
    for (let index = 0; index < 20; index++) publish(`stream-${index}`);
    await until(() => expect(heard).toEqual([{ type: 'streams' }]));
    clock.advance(250);
    await until(() => expect(heard).toHaveLength(2));
    clock.advance(1000);
    runs.acquire({
      ...{ stream: 'stream-1', algorithm: 'people' },
      holder: { kind: 'api', id: 'api', reason: 'test' },
    });
    await until(() => expect(heard.at(-1)).toEqual({ type: 'runs' }));
    expect(heard).toHaveLength(3);
    await socket.close();
    expect(clock.pending).toBe(0);
  });
});
