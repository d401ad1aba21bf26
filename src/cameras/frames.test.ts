import { describe, expect, it } from 'vitest';
import type { Broker } from '#bus/broker.ts';
import { MemoryBus } from '#bus/memory-bus.ts';
import { result, setUp } from '../../test/support/runs.ts';
import { type FrameSettings, plainFrames, type RunFrame } from './contract.ts';
import { FrameChannels } from './frame-channels.ts';
import { Frames, type RunTopics } from './frames.ts';

const RUN = 'nanodet-g@demo';
const api = { kind: 'api', id: 'api', reason: 'asked for over the API' } as const;
const page = { kind: 'subscriber', id: 'page', reason: 'looks at frames' } as const;
const picture = (pts: number) => ({ jpeg: Buffer.from(`jpeg ${pts}`), pts, ntp: 1, width: 64, height: 36 });

function world() {
  const parts = setUp();
  const bus = new MemoryBus<RunTopics>();
  const { runs, clock, tasks } = parts;
  const frames = new Frames({ runs, bus, clock });
  runs.events.on('result', (found) => bus.publish(`results/${found.stream}`, found));
  const configure = (settings: FrameSettings | undefined = plainFrames) =>
    runs.setDefaults('demo', [{ algorithm: 'nanodet-g', frames: settings }]);
  /** Whether the run's worker makes frames, as it was told last. */
  const making = () => {
    const task = tasks.at(-1);
    return (task?.amended.at(-1) ?? task?.request.spec)?.frames;
  };
  return { ...parts, bus, frames, configure, making };
}

describe('frames of runs', () => {
  it('are made while somebody listens, and go to who does', () => {
    const { runs, frames, tasks, configure, making, acquire } = world();
    configure();
    acquire(api);
    expect(making()).toBeUndefined();
    const got: RunFrame[] = [];
    const end = frames.listen({ stream: 'demo', holder: page, frame: (frame) => got.push(frame) });
    expect(making()).toEqual({ quality: 85, width: undefined, fps: undefined, boxes: true });
    runs.frame(tasks[0]!.id, 1, picture(9));
    runs.frame('task-of-another', 1, picture(8));
    runs.frame(tasks[0]!.id, 2, picture(7));
    expect(got.map(({ run, pts }) => [run, pts])).toEqual([[RUN, 9]]);
    end();
    end();
    expect(making()).toBeUndefined();
    runs.frame(tasks[0]!.id, 1, picture(10));
    expect(got).toHaveLength(1);
  });

  it('keep what is configured at work while somebody listens, and end it soon after', () => {
    const { runs, frames, configure, clock, events } = world();
    configure();
    const end = frames.listen({ stream: 'demo', holder: page, frame: () => {} });
    expect(runs.get(RUN)?.leases).toMatchObject([{ holder: 'subscriber' }]);
    end();
    clock.advance(2000);
    expect(events.at(-1)).toBe(`stopped ${RUN}: Nobody asks for it any more.`);
  });

  it('wait for streams that are not there, and for what is configured later', () => {
    const { runs, frames, streams, making } = world();
    streams.delete('demo');
    const end = frames.listen({ stream: 'demo', holder: page, frame: () => {} });
    expect(runs.list()).toEqual([]);
    runs.setDefaults('demo', [{ algorithm: 'nanodet-g', frames: plainFrames }, { algorithm: 'barcode' }]);
    expect(runs.list().map(({ id, state }) => [id, state])).toEqual([[RUN, 'waiting']]);
    streams.add('demo');
    runs.streamStarted('demo');
    expect(making()).toBeDefined();
    runs.setDefaults('demo', []);
    expect(runs.list()).toEqual([]);
    end();
  });

  it('are not made of runs that give none out', () => {
    const { frames, acquire, making } = world();
    acquire(api);
    const end = frames.listen({ stream: 'demo', holder: page, frame: () => {} });
    expect(making()).toBeUndefined();
    end();
  });

  it('are as who asked first wants them, and a second who wants others is refused', () => {
    const { runs, frames, making } = world();
    const ask = (id: string, settings: FrameSettings) =>
      runs.acquire({ stream: 'demo', algorithm: 'nanodet-g', holder: { ...api, id }, frames: settings });
    frames.listen({ stream: 'demo', holder: page, frame: () => {} });
    ask('a', { ...plainFrames, width: 320 });
    ask('b', { ...plainFrames, width: 320 });
    expect(making()).toMatchObject({ width: 320 });
    expect(() => ask('b', plainFrames)).toThrow(/gives its frames as .*"width":320/);
    runs.releaseHolder('a');
    ask('b', { ...plainFrames, quality: 50 });
    expect(making()).toMatchObject({ quality: 50, width: undefined });
  });

  it('can be had one by one: the newest where somebody listens, else the next, and no run longer than that', async () => {
    const { runs, frames, tasks, acquire, making, clock, configure } = world();
    await expect(frames.newest(RUN)).rejects.toMatchObject({ code: 'RUN_UNKNOWN' });
    acquire(api);
    const [one, two] = [frames.newest(RUN), frames.newest(RUN)];
    expect(making()).toEqual({ quality: 85, width: undefined, fps: undefined, boxes: true });
    runs.frame(tasks[0]!.id, 1, picture(1));
    expect(await one).toBe(await two);
    expect(making()).toBeUndefined();
    configure();
    const end = frames.listen({ stream: 'demo', holder: page, frame: () => {} });
    runs.frame(tasks[0]!.id, 1, picture(2));
    expect((await frames.newest(RUN)).pts).toBe(2);
    end();
    const late = frames.newest(RUN);
    clock.advance(15_000);
    await expect(late).rejects.toMatchObject({ code: 'FRAME_UNAVAILABLE', status: 503 });
    const ended = frames.newest(RUN);
    runs.streamEnded('demo', 'The camera is gone.');
    await expect(ended).rejects.toThrow('it does not run. The camera is gone.');
    await expect(frames.newest(RUN)).rejects.toThrow('The camera is gone.');
  });
});

/** A broker without a broker: what was published, and subscribers as the test says. */
class FakeBroker implements Broker {
  readonly status = undefined;
  readonly channels = new Map<string, (subscribers: number) => void>();
  readonly counts = new Map<string, number>();
  readonly sent: string[] = [];

  open(name: string, onSubscribers: (subscribers: number) => void) {
    this.channels.set(name, onSubscribers);
    const { counts, sent, channels } = this;
    return {
      name,
      get subscribers() {
        return counts.get(name) ?? 0;
      },
      counters: { published: 0, replaced: 0, failed: 0 },
      publish: ({ bytes, publish, keepSeconds }: Parameters<ReturnType<Broker['open']>['publish']>[0]) =>
        void sent.push(`${name} ${bytes().toString().slice(0, 12)} ${publish} ${keepSeconds}`),
      [Symbol.dispose]: () => void channels.delete(name),
    };
  }

  say(name: string, subscribers: number): void {
    this.counts.set(name, subscribers);
    this.channels.get(name)?.(subscribers);
  }
}

describe('channels of frames', () => {
  const base64 = (pts: number) => Buffer.from(`jpeg ${pts}`).toString('base64').slice(0, 12);

  function outside(settings?: FrameSettings) {
    const parts = world();
    const broker = new FakeBroker();
    parts.configure(settings);
    const channels = new FrameChannels({
      ...parts,
      broker,
      template: 'rtsp://10.0.0.5:8554/{stream}/{algorithm}',
      present: () => [...parts.streams],
    });
    return { ...parts, broker, channels, name: 'rtsp://10.0.0.5:8554/demo/nanodet-g' };
  }

  it('are there for what is configured; who subscribes makes it work, and gets base64 of what was looked at', () => {
    const { broker, runs, tasks, name, clock, making, channels } = outside();
    expect([...broker.channels.keys()]).toEqual([name, `${name}:results`]);
    expect(runs.list()).toEqual([]);
    broker.say(name, 1);
    expect(making()).toBeDefined();
    runs.frame(tasks[0]!.id, 1, picture(5));
    runs.result(tasks[0]!.id, 1, result(1));
    expect(broker.sent).toEqual([`${name} ${base64(5)} true undefined`]);
    expect(channels.of(RUN)).toMatchObject({ channel: name, subscribers: 1 });
    broker.say(name, 2);
    broker.say(name, 0);
    expect(making()).toBeUndefined();
    clock.advance(2000);
    expect(runs.list()).toEqual([]);
  });

  it('have results on a channel of their own, which costs no pictures', () => {
    const { broker, runs, tasks, name, making } = outside();
    broker.say(`${name}:results`, 1);
    runs.result(tasks[0]!.id, 1, result(1));
    expect(making()).toBeUndefined();
    expect(broker.sent).toEqual([`${name}:results {"stream":"d true undefined`]);
  });

  it('keep the newest as long as the algorithm works, whoever subscribes', () => {
    const { broker, runs, tasks, name, acquire, making } = outside({ ...plainFrames, keepSeconds: 30 });
    expect(runs.list()).toEqual([]);
    acquire(api);
    expect(making()).toBeDefined();
    runs.frame(tasks[0]!.id, 1, picture(5));
    broker.say(name, 1);
    runs.frame(tasks[0]!.id, 1, picture(6));
    expect(broker.sent).toEqual([`${name} ${base64(5)} false 30`, `${name} ${base64(6)} true 30`]);
  });

  it('come and go with what is configured and with runs, and change their names', async () => {
    const { broker, runs, acquire, name, configure, channels } = outside();
    runs.setDefaults('demo', []);
    expect([...broker.channels.keys()]).toEqual([]);
    const asked = { stream: 'yard/gate-1', algorithm: 'barcode', holder: api };
    runs.acquire({ ...asked, frames: { ...plainFrames, channel: 'c {stream}' } });
    expect([...broker.channels.keys()]).toEqual(['c yard/gate-1', 'c yard/gate-1:results']);
    void runs.stop('barcode@yard:gate-1');
    expect([...broker.channels.keys()]).toEqual([]);
    configure();
    acquire(api);
    channels.configure('{algorithm} of {stream}');
    expect([...broker.channels.keys()]).toEqual(['nanodet-g of demo', 'nanodet-g of demo:results']);
    expect(broker.channels.has(name)).toBe(false);
    channels[Symbol.dispose]();
    expect([...broker.channels.keys()]).toEqual([]);
  });

  it('are there for streams of a pattern while those are', () => {
    const { broker, runs, streams, channels } = outside();
    runs.configure(runs.algorithms, new Map(), (stream) =>
      stream.startsWith('cam/') ? [{ algorithm: 'barcode', frames: plainFrames }] : [],
    );
    expect([...broker.channels.keys()]).toEqual([]);
    streams.add('cam/1');
    channels.streamChanged('cam/1');
    expect(broker.channels.size).toBe(2);
    streams.delete('cam/1');
    channels.streamChanged('cam/1');
    expect(broker.channels.size).toBe(0);
  });
});
