import { expect, test } from 'vitest';
import { manifest } from '../../test/support/manifest.ts';
import type { Algorithm, Context, Detection, Findings, Frame, Manifest } from './contract.ts';
import { AlgorithmHost } from './host.ts';
import type { FromHost } from './host-messages.ts';

function frame(pts = 0): Frame {
  return {
    width: 1,
    height: 1,
    format: 'gray8',
    data: Uint8Array.of(0),
    sourceWidth: 1,
    sourceHeight: 1,
    pts,
    ntp: 0,
  };
}

function seen(label: string, score: number, x = 0.1): Detection {
  return { label, score, box: [x, 0.1, 0.1, 0.1] };
}

type Detect = (frame: Frame, context: Context) => Findings | Promise<Findings>;

function start(detect: Detect, changes: Partial<Manifest> = {}) {
  const sent: FromHost[] = [];
  let disposed = 0;
  const algorithm: Algorithm = {
    detect,
    async [Symbol.asyncDispose]() {
      disposed += 1;
    },
  };
  const host = new AlgorithmHost(manifest(changes), algorithm, (message) => sent.push(message));
  return { host, sent, disposals: () => disposed };
}

/** Lets all promises that are ready go on. */
const settle = async () => new Promise<void>((resolve) => setImmediate(resolve));

test('frames are looked at one after another, in the order they come', async () => {
  const waiting: (() => void)[] = [];
  let busy = 0;
  const { host, sent } = start(async () => {
    busy += 1;
    expect(busy).toBe(1);
    await new Promise<void>((resolve) => waiting.push(resolve));
    busy -= 1;
    return { objects: [] };
  });
  host.receive({ type: 'open', run: 'a', parameters: {} });
  host.receive({ type: 'open', run: 'b', parameters: {} });
  host.receive({ type: 'frame', run: 'b', sequence: 1, frame: frame() });
  host.receive({ type: 'frame', run: 'a', sequence: 2, frame: frame() });
  host.receive({ type: 'frame', run: 'b', sequence: 3, frame: frame() });
  for (let n = 0; n < 3; n++) {
    await settle();
    expect(waiting).toHaveLength(n + 1);
    waiting[n]?.();
  }
  await settle();
  expect(sent.map((message) => ('run' in message ? [message.run, message.sequence] : []))).toEqual([
    ['b', 1],
    ['a', 2],
    ['b', 3],
  ]);
});

test('a frame on which the algorithm fails is an error of that frame alone', async () => {
  let frames = 0;
  const { host, sent } = start(() => {
    frames += 1;
    if (frames === 1) throw new Error('too dark');
    return { objects: [], state: { frames } };
  });
  host.receive({ type: 'open', run: 'a', parameters: {} });
  host.receive({ type: 'frame', run: 'a', sequence: 1, frame: frame() });
  host.receive({ type: 'frame', run: 'a', sequence: 2, frame: frame() });
  await settle();
  expect(sent).toEqual([
    { type: 'error', run: 'a', sequence: 1, message: 'too dark' },
    expect.objectContaining({ type: 'found', sequence: 2, state: { frames: 2 }, objects: [] }),
  ]);
});

test('each run has its own identities', async () => {
  const { host, sent } = start(() => ({ objects: [seen('person', 0.9)] }));
  host.receive({ type: 'open', run: 'a', parameters: { threshold: 0.5 } });
  host.receive({ type: 'open', run: 'b', parameters: { threshold: 0.5 } });
  host.receive({ type: 'frame', run: 'a', sequence: 1, frame: frame() });
  host.receive({ type: 'frame', run: 'b', sequence: 1, frame: frame() });
  await settle();
  expect(sent.map((message) => (message.type === 'found' ? message.objects[0]?.id : 0))).toEqual([1, 1]);
});

test('labels that are not asked for are left out before objects are followed', async () => {
  const { host, sent } = start(() => ({ objects: [seen('car', 0.9), seen('person', 0.8)] }));
  host.receive({ type: 'open', run: 'a', parameters: { threshold: 0.5, classes: ['person'] } });
  host.receive({ type: 'frame', run: 'a', sequence: 1, frame: frame() });
  await settle();
  expect(sent[0]).toMatchObject({ objects: [{ label: 'person', id: 1, observed: true }] });
});

test('weaker detections than the threshold are asked for only where objects are followed', async () => {
  const asked: number[] = [];
  const detect: Detect = (_, { minimumScore }) => {
    asked.push(minimumScore);
    return { objects: [seen('person', 0.45)] };
  };
  for (const [track, threshold] of [
    [true, 0.5],
    [true, 0.2],
    [false, 0.5],
  ] as const) {
    const { host, sent } = start(detect, { track });
    host.receive({ type: 'open', run: 'a', parameters: { threshold } });
    host.receive({ type: 'frame', run: 'a', sequence: 1, frame: frame() });
    await settle();
    expect(sent[0]).toMatchObject({ type: 'found', objects: threshold < 0.45 ? [{ id: 1 }] : [] });
  }
  expect(asked).toEqual([0.25, 0.1, 0.5]);
});

test('objects that are not followed have no identity', async () => {
  const { host, sent } = start(() => ({ objects: [seen('x', 1)] }), { task: 'inspect' });
  host.receive({ type: 'open', run: 'a', parameters: {} });
  host.receive({ type: 'frame', run: 'a', sequence: 1, frame: frame() });
  await settle();
  expect(sent[0]).toMatchObject({ objects: [{ ...seen('x', 1), observed: true }] });
  expect(sent[0]).not.toHaveProperty('objects.0.id');
});

test('a frame of a run that is closed is answered with an error', async () => {
  const { host, sent } = start(() => ({ objects: [] }));
  host.receive({ type: 'open', run: 'a', parameters: {} });
  host.receive({ type: 'close', run: 'a' });
  host.receive({ type: 'frame', run: 'a', sequence: 7, frame: frame() });
  await settle();
  expect(sent).toEqual([{ type: 'error', run: 'a', sequence: 7, message: expect.stringContaining('"a"') }]);
});

test('a ping is answered while a frame is being looked at', async () => {
  const { host, sent } = start(async () => new Promise<Findings>(() => {}));
  host.receive({ type: 'open', run: 'a', parameters: {} });
  host.receive({ type: 'frame', run: 'a', sequence: 1, frame: frame() });
  host.receive({ type: 'ping', sequence: 5 });
  await settle();
  expect(sent).toEqual([{ type: 'pong', sequence: 5, rssBytes: expect.any(Number) }]);
});

test('at its end it finishes the frame it looks at, passes over the others, and lets the algorithm go once', async () => {
  let finish: (() => void) | undefined;
  const { host, sent, disposals } = start(async () => {
    await new Promise<void>((resolve) => {
      finish = resolve;
    });
    return { objects: [] };
  });
  host.receive({ type: 'open', run: 'a', parameters: {} });
  host.receive({ type: 'frame', run: 'a', sequence: 1, frame: frame() });
  host.receive({ type: 'frame', run: 'a', sequence: 2, frame: frame() });
  await settle();
  const end = host[Symbol.asyncDispose]();
  expect(disposals()).toBe(0);
  finish?.();
  await end;
  await host[Symbol.asyncDispose]();
  expect(disposals()).toBe(1);
  expect(sent.map((message) => 'sequence' in message && message.sequence)).toEqual([1]);
});
