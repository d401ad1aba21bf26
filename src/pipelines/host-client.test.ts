import { expect, test } from 'vitest';
import type { Frame } from '#algorithms/contract.ts';
import type { FromHost, ToHost } from '#algorithms/host-messages.ts';
import { VirtualClock } from '#util/clock.ts';
import { manifest as testManifest } from '../../test/support/manifest.ts';
import { AlgorithmHosts, type HostStatus } from './host-client.ts';
import type { HostProcess } from './host-process.ts';

const manifest = testManifest();
const frame = { width: 1, height: 1, data: new Uint8Array(3) } as unknown as Frame;

/** A host process whose answers the test gives. */
class FakeHost implements HostProcess {
  readonly sent: ToHost[] = [];
  killed = false;
  terminated = false;
  disconnected = false;
  #beat: (rssBytes: number) => void = () => {};
  #listener: (message: FromHost) => void = () => {};
  readonly #exits: ((reason: string) => void)[] = [];

  send(message: ToHost): void {
    this.sent.push(message);
  }
  disconnect(): void {
    this.disconnected = true;
  }
  terminate(): void {
    this.terminated = true;
  }
  kill(): void {
    this.killed = true;
    this.exit('it was ended by SIGKILL');
  }
  onMessage(listener: (message: FromHost) => void): void {
    this.#listener = listener;
  }
  onHeartbeat(listener: (rssBytes: number) => void): void {
    this.#beat = listener;
  }
  onExit(listener: (reason: string) => void): void {
    this.#exits.push(listener);
  }

  say(message: FromHost): void {
    this.#listener(message);
  }
  beat(rssBytes = 100e6): void {
    this.#beat(rssBytes);
  }
  exit(reason: string): void {
    for (const listener of this.#exits.splice(0)) listener(reason);
  }
  found(run: string, inferMs = 1): void {
    const asked = this.sent.findLast((message) => message.type === 'frame' && message.run === run);
    if (asked?.type === 'frame')
      this.say({ type: 'found', run, sequence: asked.sequence, objects: [], inferMs });
  }
  types(): string[] {
    return this.sent.map(({ type }) => type);
  }
}

function setUp() {
  const clock = new VirtualClock();
  const processes: FakeHost[] = [];
  const spawn = () => {
    const host = new FakeHost();
    processes.push(host);
    return host;
  };
  const hosts = new AlgorithmHosts({ clock, spawn });
  const seen: HostStatus[] = [];
  const open = (run: string) => hosts.open('/m.json', run, { of: run }, (status) => seen.push(status));
  return { clock, processes, open, seen, hosts };
}

test('runs of one algorithm share a process, and each is opened when it is ready', () => {
  const { processes, open, seen } = setUp();
  open('a');
  open('b');
  expect(processes).toHaveLength(1);
  expect(processes[0]!.sent).toEqual([]);
  processes[0]!.say({ type: 'ready', manifest });
  expect(seen).toEqual([
    { state: 'ready', manifest },
    { state: 'ready', manifest },
  ]);
  open('c');
  expect(processes[0]!.sent.map((message) => message.type === 'open' && message.run)).toEqual([
    'a',
    'b',
    'c',
  ]);
});

test('an answer goes to the run that asked', async () => {
  const { processes, open } = setUp();
  const [a, b] = [open('a'), open('b')];
  processes[0]!.say({ type: 'ready', manifest });
  const [forA, forB] = [a.detect(frame), b.detect(frame)];
  processes[0]!.found('a');
  processes[0]!.say({ type: 'error', run: 'b', sequence: 2, message: 'It is too dark.' });
  await expect(forA).resolves.toMatchObject({ run: 'a' });
  await expect(forB).rejects.toMatchObject({ code: 'ALGORITHM_ERROR', message: 'It is too dark.' });
});

test('a process that dies gives up its frames, and is started again with growing pauses', async () => {
  const { clock, processes, open, seen } = setUp();
  const run = open('a');
  processes[0]!.say({ type: 'ready', manifest });
  const result = run.detect(frame);
  processes[0]!.exit('it was ended by SIGSEGV');
  await expect(result).rejects.toMatchObject({ code: 'HOST_LOST' });
  expect(seen.at(-1)).toMatchObject({ state: 'waiting', reason: expect.stringContaining('SIGSEGV') });
  clock.advance(200);
  expect(processes).toHaveLength(2);
  processes[1]!.say({ type: 'ready', manifest });
  expect(processes[1]!.sent).toEqual([{ type: 'open', run: 'a', parameters: { of: 'a' } }]);
  for (let n = 2; n < 12; n++) {
    processes.at(-1)!.exit('it ended with code 1');
    clock.advance(5000);
    expect(processes).toHaveLength(n + 1);
  }
  processes.at(-1)!.exit('it ended with code 1');
  clock.advance(2000);
  expect(processes).toHaveLength(12);
});

test('an idle process that does not answer a ping is killed within 2 s', () => {
  const { clock, processes, open } = setUp();
  open('a');
  processes[0]!.say({ type: 'ready', manifest });
  clock.advance(1000);
  expect(processes[0]!.types()).toContain('ping');
  clock.advance(1000);
  expect(processes[0]!.killed).toBe(true);
});

test('a process that stands still is killed within 2 s, also while it looks at a frame', async () => {
  const { clock, processes, open, seen } = setUp();
  const run = open('a');
  const [host] = processes;
  host!.beat();
  host!.say({ type: 'ready', manifest });
  const result = run.detect(frame);
  for (let beat = 0; beat < 40; beat++) {
    clock.advance(500);
    host!.beat();
  }
  expect(host!.killed).toBe(false);
  clock.advance(2000);
  expect(host!.killed).toBe(true);
  await expect(result).rejects.toMatchObject({ code: 'HOST_LOST' });
  expect(seen).toContainEqual({
    state: 'waiting',
    reason: expect.stringMatching(/stood still for 1\.\d s/),
  });
});

test('a process that grows too large is asked to end, then killed, and its runs are told why', () => {
  const { clock, processes, open, seen } = setUp();
  open('a');
  processes[0]!.say({ type: 'ready', manifest });
  processes[0]!.beat(2 ** 30);
  expect(processes[0]!.terminated).toBe(false);
  processes[0]!.beat(1100 * 2 ** 20);
  expect(processes[0]!.terminated).toBe(true);
  clock.advance(1000);
  expect(processes[0]!.killed).toBe(true);
  expect(seen.at(-1)).toEqual({
    state: 'waiting',
    reason:
      "The algorithm's process is gone: it used 1100 MB of memory, more than the 1024 MB that algorithms.memoryMb allows. It is started again.",
  });
  clock.advance(200);
  expect(processes).toHaveLength(2);
  clock.advance(10_000);
  expect(processes[1]!.killed).toBe(false);
});

test('a process that answers its pings lives', () => {
  const { clock, processes, open } = setUp();
  open('a');
  const [host] = processes;
  host!.say({ type: 'ready', manifest });
  for (let check = 0; check < 150; check++) {
    clock.advance(400);
    if (host!.sent.at(-1)?.type === 'ping') host!.say({ type: 'pong', sequence: 0, rssBytes: 0 });
  }
  expect(host!.killed).toBe(false);
  expect(host!.types().filter((type) => type === 'ping').length).toBeGreaterThan(50);
});

test('a frame may take 30 s and no longer', async () => {
  const { clock, processes, open } = setUp();
  const run = open('a');
  processes[0]!.say({ type: 'ready', manifest });
  const result = run.detect(frame);
  clock.advance(29_000);
  expect(processes[0]!.killed).toBe(false);
  clock.advance(3000);
  expect(processes[0]!.killed).toBe(true);
  await expect(result).rejects.toThrow(/did not answer for 3[01] s/);
});

test('an algorithm whose frames take 20 ms gets 5 s for one, and one of its own choice what its manifest says', async () => {
  for (const [runtime, limit] of [
    [{}, 5000],
    [{ frameTimeoutMs: 1500 }, 1500],
  ] as const) {
    const { clock, processes, open } = setUp();
    const run = open('a');
    processes[0]!.say({ type: 'ready', manifest: { ...manifest, runtime } });
    for (let n = 0; n < 10; n++) {
      const result = run.detect(frame);
      processes[0]!.found('a', 20);
      await result;
    }
    const result = run.detect(frame);
    clock.advance(limit - 400);
    expect(processes[0]!.killed).toBe(false);
    clock.advance(1000);
    expect(processes[0]!.killed).toBe(true);
    await expect(result).rejects.toThrow(`a frame may take ${limit / 1000} s`);
  }
});

test('the time of a frame begins when the one before it is answered', async () => {
  const { clock, processes, open } = setUp();
  const [a, b] = [open('a'), open('b')];
  processes[0]!.say({ type: 'ready', manifest });
  const first = a.detect(frame);
  const second = b.detect(frame);
  clock.advance(20_000);
  processes[0]!.found('a');
  clock.advance(20_000);
  expect(processes[0]!.killed).toBe(false);
  processes[0]!.found('b');
  await Promise.all([first, second]);
});

test('an algorithm that cannot be loaded fails its runs and is not tried again for them', () => {
  const { clock, processes, open, seen } = setUp();
  open('a');
  processes[0]!.say({ type: 'failed', code: 'MODEL_MISSING', message: 'There is no model.' });
  expect(seen.at(-1)).toMatchObject({ state: 'failed', error: { code: 'MODEL_MISSING' } });
  processes[0]!.exit('it ended with code 1');
  clock.advance(60_000);
  expect(processes).toHaveLength(1);
  open('b');
  expect(processes).toHaveLength(2);
});

test('the last run to close ends the process, by force where asking does not help', () => {
  const { clock, processes, open } = setUp();
  const [a, b] = [open('a'), open('b')];
  processes[0]!.say({ type: 'ready', manifest });
  a.close();
  a.close();
  expect(processes[0]!.disconnected).toBe(false);
  b.close();
  expect(processes[0]!.disconnected).toBe(true);
  clock.advance(999);
  expect(processes[0]!.killed).toBe(false);
  clock.advance(1);
  expect(processes[0]!.killed).toBe(true);
  expect(clock.pending).toBe(0);
});

test('a run that is closed while its frame is under way gives it up', async () => {
  const { processes, open } = setUp();
  const [a, b] = [open('a'), open('b')];
  processes[0]!.say({ type: 'ready', manifest });
  const result = a.detect(frame);
  a.close();
  await expect(result).rejects.toMatchObject({ code: 'HOST_LOST' });
  const other = b.detect(frame);
  processes[0]!.found('b');
  await expect(other).resolves.toMatchObject({ run: 'b' });
});
