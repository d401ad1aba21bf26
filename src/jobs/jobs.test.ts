import { describe, expect, it } from 'vitest';
import { Hub } from '#hub/hub.ts';
import type { ForwardConnection, ForwardEvents, ForwardTarget } from '#sinks/contract.ts';
import type { SourceSettings, StartSource } from '#sources/configured.ts';
import type { SourceTask } from '#sources/contract.ts';
import { VirtualClock } from '#util/clock.ts';
import { NamedError } from '#util/named-error.ts';
import { audio, picture, video } from '../../test/support/units.ts';
import type { ConversionTask, JobEnvironment } from './job.ts';
import type { JobStatus } from './job-status.ts';
import { Jobs, type JobWish } from './jobs.ts';
import type { ConversionWish, JobInput, JobOutput, JobSettings } from './plan.ts';

const film: JobInput = {
  kind: 'source',
  source: { kind: 'file', path: '/a.mp4', loop: false, onDemand: undefined },
};
const to = (url: string): JobOutput => ({ url, trust: { fingerprint: undefined, insecure: false } });
const push = (name: string, more: Partial<Extract<JobSettings, { type: 'push' }>> = {}): JobWish => ({
  enabled: true,
  settings: {
    type: 'push',
    name,
    input: film,
    output: to('rtsp://user:secret@cloud/x'),
    noVideo: false,
    noAudio: false,
    ...more,
  },
});

/** A source, an output or what is between them, as the test leads it. */
interface Source {
  readonly settings: SourceSettings;
  change(status: Omit<SourceTask['status'], 'since'>): void;
  stopped: string | undefined;
}
interface Output {
  readonly target: ForwardTarget;
  readonly events: ForwardEvents;
  closed: string | undefined;
  gone: () => void;
}

function setUp(options: { slowClose?: boolean; refuse?: NamedError } = {}) {
  const clock = new VirtualClock();
  const hub = new Hub({ clock });
  const sources: Source[] = [];
  const outputs: Output[] = [];
  const told: string[] = [];
  const startSource: StartSource = (settings, onState) => {
    let status: SourceTask['status'] = { state: 'starting', since: clock.now() };
    const source: Source = {
      settings,
      stopped: undefined,
      change(next) {
        status = { ...next, since: clock.now() };
        onState(status);
      },
    };
    sources.push(source);
    return {
      get status() {
        return status;
      },
      durationMs: 5000,
      async stop(reason) {
        source.stopped = reason;
      },
    };
  };
  const open = (target: ForwardTarget, events: ForwardEvents): ForwardConnection => {
    if (options.refuse) throw options.refuse;
    const { promise, resolve } = Promise.withResolvers<void>();
    if (!options.slowClose) resolve();
    const output: Output = { target, events, closed: undefined, gone: resolve };
    outputs.push(output);
    return {
      bytesSent: 700,
      close(reason) {
        output.closed ??= reason;
        return promise;
      },
    };
  };
  const conversions: {
    readonly wish: ConversionWish;
    change(status: ConversionTask['status']): void;
    stopped: boolean;
  }[] = [];
  const convert: JobEnvironment['convert'] = (wish, onState) => {
    let status: ConversionTask['status'] = { state: 'starting' };
    const one = {
      wish,
      stopped: false,
      change(next: ConversionTask['status']) {
        status = next;
        onState();
      },
    };
    conversions.push(one);
    return {
      get status() {
        return status;
      },
      progress: { timeMs: 900, durationMs: 2000, speed: 8, fps: 200, bitRate: 1000, bytesSent: 70 },
      async stop() {
        one.stopped = true;
      },
    };
  };
  const environment: JobEnvironment = {
    hub,
    clock,
    startSource,
    convert,
    openForward: () => open,
    random: () => 0,
  };
  const begin = (...wishes: JobWish[]) =>
    new Jobs(wishes, {
      ...environment,
      onState: ({ name, state }: JobStatus) => {
        if (told.at(-1) !== `${name} ${state}`) told.push(`${name} ${state}`);
      },
    });
  const publish = (name: string) =>
    hub.publish(name, { id: name, door: 'source', remote: 'x' }, [video, audio], { onClose: () => {} });
  /** What was promised has come true. */
  const settle = async () => {
    await new Promise((resolve) => setImmediate(resolve));
    clock.advance(0);
  };
  return { conversions, clock, hub, sources, outputs, told, begin, publish, settle };
}

describe('a job', () => {
  it('starts, runs, and tells how its input and its output do, without a password', async () => {
    const { begin, publish, settle, sources, outputs, told, clock } = setUp();
    const jobs = begin(push('a'));
    await settle();
    expect(jobs.get('a')).toMatchObject({ name: 'a', type: 'push', state: 'starting' });
    const publication = publish('jobs/a');
    sources[0]!.change({ state: 'running' });
    outputs[0]!.events.onUp();
    for (let n = 0; n < 25; n++) {
      publication.write(picture(n));
      clock.advance(40);
    }
    const status = jobs.get('a')!;
    expect(status).toMatchObject({
      state: 'running',
      inputs: [{ url: '/a.mp4', state: 'running' }],
      outputs: [{ url: 'rtsp://cloud/x', state: 'running', bytesSent: 700, drops: 0 }],
      progress: { timeMs: 960, durationMs: 5000, bytesSent: 700, fps: 25 },
    });
    expect(status).not.toHaveProperty('reason');
    expect(status.log.map(({ message }) => message)).toEqual(['/a.mp4 is read.', 'rtsp://cloud/x takes it.']);
    expect(told).toEqual(['a starting', 'a running']);
    await jobs[Symbol.asyncDispose]();
    expect(clock.pending).toBe(0);
  });

  it('waits for an input and says why, once in its log however often it is tried', async () => {
    const { begin, settle, sources } = setUp();
    const jobs = begin(push('a'));
    await settle();
    for (const seconds of ['0.5', '1.0']) {
      const trouble = 'rtsp://x is off.';
      const reason = `${trouble} The next attempt is in ${seconds} s.`;
      sources[0]!.change({ state: 'waiting', reason, trouble, code: 'RTSP_UNREACHABLE' });
      expect(jobs.get('a')).toMatchObject({ state: 'waiting', reason, code: 'RTSP_UNREACHABLE' });
      sources[0]!.change({ state: 'starting', reason: trouble });
      expect(jobs.get('a')?.state).toBe('starting');
    }
    expect(jobs.get('a')?.log).toEqual([
      { time: expect.any(Number), level: 'warn', message: 'rtsp://x is off.' },
    ]);
    // A worker tries a file that is missing again as well.
    sources[0]!.change({ state: 'failed', reason: 'There is no file.', code: 'INPUT_MISSING' });
    expect(jobs.get('a')).toMatchObject({ state: 'waiting', code: 'INPUT_MISSING' });
  });

  it('goes on while one of several outputs fails again and again', async () => {
    const { begin, publish, settle, outputs, clock } = setUp();
    const outputsOf = [to('rtsp://one/x'), to('rtsp://two/x')];
    const jobs = begin({
      enabled: true,
      settings: { type: 'relay', name: 'r', input: { kind: 'stream', stream: 'yard' }, outputs: outputsOf },
    });
    await settle();
    expect(jobs.get('r')).toMatchObject({ state: 'waiting', reason: 'Nobody publishes "yard" now.' });
    publish('yard');
    outputs[0]!.events.onUp();
    outputs[1]!.events.onEnd({ reason: 'It refuses.', code: 'RTSP_REFUSED' });
    await settle();
    expect(jobs.get('r')).toMatchObject({
      state: 'running',
      reason: '1 of 2 outputs does not take it: It refuses. The next attempt is in 0.5 s.',
      code: 'RTSP_REFUSED',
    });
    clock.advance(600);
    expect(outputs).toHaveLength(3);
    expect(outputs[0]!.closed).toBeUndefined();
    outputs[2]!.events.onUp();
    expect(jobs.get('r')).toMatchObject({ state: 'running', outputs: [{}, { state: 'running' }] });
    expect(jobs.get('r')).not.toHaveProperty('reason');
    await jobs[Symbol.asyncDispose]();
  });

  it('fails for good when nothing can take it, and lets everything go', async () => {
    const { begin, publish, settle, sources, hub, told } = setUp({
      refuse: new NamedError('RTSP_ADDRESS_INVALID', 'That is no address.'),
    });
    const jobs = begin(push('a'));
    await settle();
    publish('jobs/a');
    await settle();
    expect(jobs.get('a')).toMatchObject({
      state: 'failed',
      reason: 'That is no address.',
      code: 'RTSP_ADDRESS_INVALID',
      inputs: [{ state: 'stopped' }],
      outputs: [{ state: 'failed', reason: 'That is no address.' }],
    });
    expect(jobs.get('a')?.log.at(-1)).toMatchObject({ level: 'error', message: 'That is no address.' });
    expect(sources[0]!.stopped).toBe('That is no address.');
    expect(hub.streams).toEqual([]);
    expect(told.at(-1)).toBe('a failed');
  });

  it('is stopped when its input has ended, once everything has left', async () => {
    const { begin, publish, settle, sources, outputs, clock, hub } = setUp();
    const jobs = begin(push('a'));
    await settle();
    const publication = publish('jobs/a');
    outputs[0]!.events.onUp();
    publication.write(picture(0));
    publication.close('The file is at its end.');
    sources[0]!.change({ state: 'done', reason: 'The file is at its end.' });
    clock.advance(900);
    expect(jobs.get('a')?.state).toBe('running');
    expect(outputs[0]!.closed).toBeUndefined();
    clock.advance(300);
    await settle();
    expect(jobs.get('a')).toMatchObject({
      state: 'stopped',
      reason: 'The input has ended.',
      inputs: [{ state: 'done' }],
      outputs: [{ state: 'stopped', bytesSent: 700 }],
    });
    expect(outputs[0]!.closed).toBe('The input has ended.');
    expect(hub.streams).toEqual([]);
    expect(clock.pending).toBe(0);
    jobs.start('a');
    await settle();
    expect(sources).toHaveLength(2);
    expect(jobs.get('a')?.state).toBe('starting');
    expect(() => jobs.start('b')).toThrow('There is no job "b".');
  });

  it('waits at the end of a short input for an output that still connects, and not for ever', async () => {
    const { begin, publish, settle, sources, outputs, clock } = setUp();
    const jobs = begin(push('a'));
    await settle();
    publish('jobs/a');
    sources[0]!.change({ state: 'done' });
    clock.advance(5000);
    expect(outputs[0]!.closed).toBeUndefined();
    clock.advance(4000);
    await settle();
    expect(jobs.get('a')).toMatchObject({
      state: 'failed',
      reason: 'The input has ended before an output took it.',
    });
  });

  it('has failed when its input came and went while every output was away', async () => {
    const { begin, publish, settle, sources, outputs, clock } = setUp();
    const jobs = begin(push('a'));
    await settle();
    const publication = publish('jobs/a');
    outputs[0]!.events.onEnd({ reason: 'It is off.', code: 'RTSP_UNREACHABLE' });
    publication.close('The file is at its end.');
    sources[0]!.change({ state: 'done' });
    clock.advance(1200);
    await settle();
    expect(jobs.get('a')).toMatchObject({
      state: 'failed',
      reason: 'The input has ended before an output took it. It is off.',
      code: 'RTSP_UNREACHABLE',
    });
  });

  it('puts together what its plan says, and takes it apart at the end', async () => {
    const { begin, publish, settle, hub, clock, outputs } = setUp();
    const jobs = begin(push('a', { noAudio: true }));
    await settle();
    const publication = publish('jobs/a/in');
    publication.write(picture(0));
    await settle();
    expect(hub.get('jobs/a')?.tracks.map(({ format }) => format.kind)).toEqual(['video']);
    expect(outputs[0]?.target.stream.name).toBe('jobs/a');
    await jobs[Symbol.asyncDispose]();
    expect(hub.streams).toEqual([]);
    expect(clock.pending).toBe(0);
  });

  it('says of two that it merges which one is missing', async () => {
    const { begin, publish, settle, clock } = setUp();
    const [video, audio] = ['yard', 'hall'].map((stream) => ({ kind: 'stream', stream }) as const);
    const merge = { type: 'merge', name: 'm', output: to('rtsp://cloud/x'), offsetMs: 0 } as const;
    const jobs = begin({ enabled: true, settings: { ...merge, video: video!, audio: audio! } });
    await settle();
    publish('yard');
    clock.advance(1000);
    expect(jobs.get('m')).toMatchObject({ state: 'waiting', reason: 'Nobody publishes "hall" now.' });
    await jobs[Symbol.asyncDispose]();
    expect(clock.pending).toBe(0);
  });

  it('makes a file another one without the hub, and is stopped when that is done', async () => {
    const { begin, settle, conversions, sources, hub } = setUp();
    const jobs = begin(push('a', { output: to('/out/b.mkv'), noAudio: true }));
    await settle();
    expect(conversions[0]?.wish).toMatchObject({
      input: { path: '/a.mp4' },
      audio: 'none',
      video: undefined,
    });
    conversions[0]!.change({ state: 'running' });
    expect(jobs.get('a')).toMatchObject({
      state: 'running',
      progress: { timeMs: 900, durationMs: 2000, speed: 8, drops: 0 },
      outputs: [{ url: '/out/b.mkv', state: 'running', bytesSent: 70 }],
    });
    conversions[0]!.change({ state: 'done' });
    await settle();
    expect(jobs.get('a')).toMatchObject({
      state: 'stopped',
      reason: 'The input has ended.',
      inputs: [{ state: 'done' }],
      progress: { speed: 0 },
    });
    jobs.start('a');
    await settle();
    conversions[1]!.change({ state: 'failed', reason: 'No room.', code: 'FILE_DISK_FULL' });
    expect(jobs.get('a')).toMatchObject({ state: 'failed', reason: 'No room.', code: 'FILE_DISK_FULL' });
    expect(conversions.map(({ stopped }) => stopped)).toEqual([true, true]);
    expect([sources, hub.streams]).toEqual([[], []]);
  });

  it('fails when it would be made of what it makes', async () => {
    const { begin, settle } = setUp();
    const input = { kind: 'stream', stream: 'jobs/a' } as const;
    const jobs = begin(push('a', { input, noAudio: true }));
    await settle();
    expect(jobs.get('a')).toMatchObject({ state: 'failed', code: 'STREAM_LOOP' });
  });
});

describe('the jobs of a configuration', () => {
  it('change one by one: what stays the same does not notice', async () => {
    const { begin, settle, sources } = setUp();
    const jobs = begin(push('a'), push('b'));
    await settle();
    jobs.apply([push('c'), push('a'), push('b', { noAudio: true })]);
    await settle();
    expect(sources.map(({ settings, stopped }) => [settings.stream, stopped])).toEqual([
      ['jobs/a', undefined],
      ['jobs/b', 'The job was changed.'],
      ['jobs/c', undefined],
      ['jobs/b/in', undefined],
    ]);
    expect(jobs.list().map(({ name }) => name)).toEqual(['c', 'a', 'b']);
    jobs.apply([push('a')]);
    await settle();
    expect(sources[3]!.stopped).toBe('The job was taken out of the configuration.');
    expect(jobs.list().map(({ name }) => name)).toEqual(['a']);
  });

  it('do not run while they are switched off, and keep what they had to say', async () => {
    const { begin, settle, sources, told } = setUp();
    const off = { ...push('a'), enabled: false };
    const jobs = begin(off);
    await settle();
    expect(jobs.get('a')).toMatchObject({ state: 'stopped', reason: expect.stringContaining('enabled') });
    expect(sources).toEqual([]);
    jobs.apply([push('a')]);
    await settle();
    sources[0]!.change({ state: 'running' });
    jobs.apply([off]);
    await settle();
    expect(jobs.get('a')).toMatchObject({ state: 'stopped', reason: 'The job was stopped.' });
    expect(jobs.get('a')?.log.map(({ message }) => message)).toEqual([
      '/a.mp4 is read.',
      'The job was stopped.',
    ]);
    jobs.apply([push('a')]);
    await settle();
    expect(sources).toHaveLength(2);
    expect(told).toEqual(['a starting', 'a stopped', 'a starting']);
  });

  it('that no output could carry fail in words, and begin when they are mended', async () => {
    const { begin, settle, told } = setUp();
    const made = (codec: 'mpeg4' | 'h264'): JobWish => ({
      enabled: true,
      settings: {
        ...{ type: 'transcode', name: 't', input: film, output: to('rtmp://host/app/key') },
        ...{ video: { codec }, audio: undefined, noVideo: false, noAudio: false },
      },
    });
    const jobs = begin(made('mpeg4'));
    await settle();
    expect(jobs.get('t')).toMatchObject({
      state: 'failed',
      code: 'CODEC_UNSUPPORTED',
      reason: expect.stringContaining('RTMP cannot carry MPEG-4'),
    });
    jobs.apply([made('h264')]);
    await settle();
    expect(jobs.get('t')?.state).toBe('starting');
    expect(told).toEqual(['t failed', 't starting']);
  });

  it('of one name never work at a time', async () => {
    const { begin, publish, settle, sources, outputs } = setUp({ slowClose: true });
    const jobs = begin(push('a'));
    await settle();
    publish('jobs/a');
    jobs.apply([push('a', { output: to('rtsp://other/x') })]);
    await settle();
    expect(sources).toHaveLength(1);
    outputs[0]!.gone();
    await settle();
    expect(sources).toHaveLength(2);
  });

  it('end with the server, all at a time', async () => {
    const { begin, publish, settle, outputs, sources, clock, hub } = setUp();
    const jobs = begin(push('a'), push('b'));
    await settle();
    publish('jobs/a');
    publish('jobs/b');
    await jobs[Symbol.asyncDispose]();
    expect(outputs.map(({ closed }) => closed)).toEqual(['The server stops.', 'The server stops.']);
    expect(sources.every(({ stopped }) => stopped === 'The server stops.')).toBe(true);
    expect(hub.streams).toEqual([]);
    expect(clock.pending).toBe(0);
  });
});
