import { expect, test } from 'vitest';
import type { Frame, Manifest } from '#algorithms/contract.ts';
import type { FromHost, ToHost } from '#algorithms/host-messages.ts';
import { VirtualClock } from '#util/clock.ts';
import { AlgorithmHosts, type HostStatus } from './host-client.ts';
import type { HostProcess } from './host-process.ts';

const manifest = { schema: 1, id: 'test' } as unknown as Manifest;
const frame = { width: 1, height: 1, data: new Uint8Array(3) } as unknown as Frame;

/** A host process whose answers the test gives. */
class FakeHost implements HostProcess {
  readonly sent: ToHost[] = [];
  killed = false;
  disconnected = false;
  #listener: (message: FromHost) => void = () => {};
  readonly #exits: ((reason: string) => void)[] = [];

  send(message: ToHost): void {
    this.sent.push(message);
  }
  disconnect(): void {
    this.disconnected = true;
  }
  kill(): void {
    this.killed = true;
    this.exit('it was ended by SIGKILL');
  }
  onMessage(listener: (message: FromHost) => void): void {
    this.#listener = listener;
  }
  onExit(listener: (reason: string) => void): void {
    this.#exits.push(listener);
  }

  say(message: FromHost): void {
    this.#listener(message);
  }
  exit(reason: string): void {
    for (const listener of this.#exits.splice(0)) listener(reason);
  }
  found(run: string): void {
    const asked = this.sent.findLast((message) => message.type === 'frame' && message.run === run);
    if (asked?.type === 'frame')
      this.say({ type: 'found', run, sequence: asked.sequence, objects: [], inferMs: 1 });
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

test('an idle process that does not answer a ping is killed within 4 s', () => {
  const { clock, processes, open } = setUp();
  open('a');
  processes[0]!.say({ type: 'ready', manifest });
  clock.advance(1000);
  expect(processes[0]!.types()).toContain('ping');
  clock.advance(3000);
  expect(processes[0]!.killed).toBe(true);
});

test('a process that answers its pings lives', () => {
  const { clock, processes, open } = setUp();
  open('a');
  const [host] = processes;
  host!.say({ type: 'ready', manifest });
  for (let second = 0; second < 60; second++) {
    clock.advance(1000);
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
