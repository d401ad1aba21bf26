import { EventEmitter } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { TransportEnd, TransportOptions } from '#app/transport.ts';
import type { JobEntry } from '#config/job-schema.ts';
import { defaultConfig } from '#config/schema.ts';
import type { JobStatus } from '#jobs/job-status.ts';
import { VirtualClock } from '#util/clock.ts';
import { runCli } from './cli.ts';
import { EXIT, exitCode } from './exit-code.ts';

const part = { url: 'rtsp://server/x', state: 'running' } as const;
const running: JobStatus = {
  ...{ name: 'push', type: 'push', state: 'running', since: 0, log: [], inputs: [part] },
  outputs: [{ ...part, bytesSent: 2000, drops: 0 }],
  progress: { timeMs: 1000, speed: 1, fps: 25, bitRate: 16_000, drops: 0, bytesSent: 2000 },
};

function terminal(columns?: number) {
  const clock = new VirtualClock();
  const [printed, complained, drawn]: [string[], string[], string[]] = [[], [], []];
  const exits: number[] = [];
  const signals = new EventEmitter();
  const jobs: JobEntry[] = [];
  let status = running;
  const ends = Promise.withResolvers<TransportEnd>();
  const begun = Promise.withResolvers<TransportOptions>();
  const run = (...args: string[]) =>
    runCli(args, {
      print: (text) => printed.push(text),
      complain: (text) => complained.push(text),
      signals,
      inTerminal: columns !== undefined,
      live: columns === undefined ? undefined : { columns: () => columns, write: (text) => drawn.push(text) },
      clock,
      exit: (code) => exits.push(code),
      loadConfig: async () => ({ ...defaultConfig(), rtsp: { ...defaultConfig().rtsp, port: 9554 } }),
      createServer: () => Promise.reject(new Error('No server was asked for.')),
      probe: () => Promise.reject(new Error('No probe was asked for.')),
      readInput: async () => '',
      transport: (entry, options) => {
        jobs.push(entry);
        options.onBegin(() => status);
        begun.resolve(options);
        options.stop.addEventListener('abort', () => ends.resolve({ status, told: true }));
        return ends.promise;
      },
    });
  return {
    ...{ run, clock, printed, complained, drawn, exits, signals, jobs, begun: begun.promise },
    change: (next: Partial<JobStatus>) => {
      status = { ...status, ...next };
    },
    end: (next: Partial<JobStatus> = { state: 'stopped' }) =>
      ends.resolve({ status: { ...status, ...next }, told: false }),
  };
}

/** The job that a command line asks for, without what is always so. */
async function asked(...args: string[]): Promise<unknown> {
  const { run, jobs, end, complained } = terminal();
  end();
  await run(...args);
  return jobs[0] ?? complained[0];
}

describe('commands for jobs', () => {
  it('ask for what the configuration asks for by the same keys', async () => {
    expect(await asked('push', 'testsrc', 'rtsp://s/x', '--loop', '--no-audio', '--insecure')).toMatchObject({
      ...{ type: 'push', loop: true, noAudio: true, noVideo: false },
      input: { url: 'testsrc', insecure: true },
      output: { url: 'rtsp://s/x', insecure: true },
    });
    expect(await asked('split', 'rtsp://a/1', '--video', 'rtsp://s/v', '--audio=rtsp://s/a')).toMatchObject({
      ...{ type: 'split', input: { url: 'rtsp://a/1' } },
      ...{ video: { url: 'rtsp://s/v' }, audio: { url: 'rtsp://s/a' } },
    });
    const merge = ['merge', '--video', 'camera:0', '--audio', 'microphone:0', 'rtsp://s/m', '--fps', '30'];
    expect(await asked(...merge, '--offset', '-40')).toMatchObject({
      ...{ type: 'merge', offset: -40, output: { url: 'rtsp://s/m' } },
      ...{ video: { url: 'camera:0?fps=30' }, audio: { url: 'microphone:0' } },
    });
    expect(await asked('relay', 'srt://a:1', 'rtmp://s/app/x', 'whip://s/x/whip')).toMatchObject({
      ...{ type: 'relay', outputs: [{ url: 'rtmp://s/app/x' }, { url: 'whip://s/x/whip' }] },
    });
    const wishes = [
      '--video',
      'h264',
      '--audio',
      'aac',
      '--bitrate',
      '2.5M',
      '--scale',
      '1280x',
      '--fps',
      '15',
    ];
    expect(
      await asked('transcode', 'rtsp://a/1', 'x.mp4', ...wishes, '--sample-rate', '44100', '--overwrite'),
    ).toMatchObject({
      ...{ type: 'transcode', video: 'h264', audio: 'aac', bitrate: 2_500_000, scale: '1280x', fps: 15 },
      ...{ sampleRate: 44_100, output: { url: resolve('x.mp4'), existing: 'overwrite' } },
    });
    expect(
      await asked('push', 'desktop', 'rtsp://s/x', '--region', '640x360+1+2', '--fps', '30'),
    ).toMatchObject({
      input: { url: 'desktop?fps=30&region=640x360+1+2' },
    });
    expect(await asked('push', 'testsrc', 'rtsp://s/1', 'rtsp://s/2')).toMatchObject({ type: 'relay' });
  });

  it('take a name that is no file for a stream of this machine', async () => {
    expect(await asked('push', 'yard/gate-1', 'other')).toMatchObject({
      input: { url: 'rtsp://127.0.0.1:9554/yard/gate-1' },
      output: { url: 'rtsp://127.0.0.1:9554/other' },
    });
    // A folder that is there, a name with an ending, a path.
    expect(existsSync('src')).toBe(true);
    expect(await asked('push', 'src', './other.mp4')).toMatchObject({ input: { url: resolve('src') } });
    expect(await asked('push', 'film.mp4', 'stream:a.b')).toMatchObject({
      input: { url: resolve('film.mp4') },
      output: { url: 'rtsp://127.0.0.1:9554/a.b' },
    });
  });

  it('say what is wrong with the sentences of the configuration', async () => {
    const mistakes: [string[], string][] = [
      [['push', 'testsrc'], '"sluice push" needs an output'],
      [['push', 'ftp://me:secret@a/1', 'rtsp://s/x'], '"ftp://***@a/1" must be the path of a video file'],
      [['push', 'testsrc', 'gopher://s/x'], '"gopher://s/x" must be an rtsp://, rtsps://'],
      [['push', 'testsrc', 'rtsp://s/x', '--no-video', '--no-audio'], '"--no-audio" cannot be true beside'],
      [
        ['push', 'testsrc', 'rtsp://s/x', '--fps', '30'],
        'is about a desktop or a camera, which the input is not.',
      ],
      [['push', 'camera:0', 'rtsp://s/x', '--region', '1x1'], 'must not ask camera for "region"'],
      [
        ['transcode', 'testsrc', 'x.mp4', '--audio', 'flac'],
        '"--audio" must be one of copy, aac, opus, mp3, g711.',
      ],
      [['transcode', 'testsrc', 'x.mp4', '--sample-rate', 'high'], '"--sample-rate" must be a whole number'],
      [['split', 'testsrc', '--video', 'x.mp4'], '"sluice split" needs --video and --audio'],
      [['merge', '--video', '--audio', 'x', 'y'], 'The option "--video" needs a value.'],
    ];
    for (const [args, sentence] of mistakes) expect(await asked(...args), args.join(' ')).toContain(sentence);
    const { run, complained } = terminal();
    expect(await run('push', 'rtsp://me:secret@a/1')).toBe(EXIT.usage);
    expect(complained.join()).not.toContain('secret');
  });
});

describe('a command at work', () => {
  it('draws a line in a terminal, puts messages above it, and leaves none behind', async () => {
    const { run, clock, begun, change, end, drawn, complained } = terminal(60);
    const ended = run('push', 'testsrc', 'rtsp://s/x');
    const { onMessage } = await begun;
    clock.advance(250);
    expect(drawn.at(-1)).toBe('\r00:01.0  1.00x  25.0 fps  16 kbit/s\u001b[K');
    onMessage('warn', 'Stream 2 is left out.');
    expect(drawn.at(-1)).toBe('\r\u001b[K');
    change({ log: [{ time: 1, level: 'info', message: 'It takes it.' }] });
    clock.advance(500);
    end({ state: 'stopped', reason: 'The input has ended.' });
    expect(await ended).toBe(EXIT.done);
    expect(drawn.at(-1)).toBe('\r\u001b[K');
    expect(complained).toEqual([
      'Stream 2 is left out.',
      'It takes it.',
      'Done: 00:01.0 of media, 2.0 kB sent.',
    ]);
  });

  it('writes one object a second with --json, and nothing for terminals', async () => {
    const { run, clock, begun, end, drawn, printed } = terminal(60);
    const ended = run('push', 'testsrc', 'rtsp://s/x', '--json');
    await begun;
    clock.advance(2000);
    expect(printed.map((text) => (JSON.parse(text) as JobStatus).state)).toEqual(['running', 'running']);
    end({ state: 'failed', code: 'CODEC_UNSUPPORTED', reason: 'It cannot.' });
    expect(await ended).toBe(EXIT.codec);
    expect(JSON.parse(printed.at(-1)!)).toMatchObject({ state: 'failed', reason: 'It cannot.' });
    expect(drawn).toEqual([]);
  });

  it('ends cleanly with the first signal, whichever, and at once with a second one that is not the same', async () => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGPIPE']) {
      const { run, begun, signals, complained } = terminal();
      const ended = run('push', 'testsrc', 'rtsp://s/x');
      await begun;
      signals.emit(signal);
      expect(await ended, signal).toBe(EXIT.done);
      expect(complained.at(-1)).toBe('Stopped: 00:01.0 of media, 2.0 kB sent.');
      expect(signals.listenerCount(signal)).toBe(0);
    }
    const { run, begun, signals, clock, exits } = terminal();
    void run('push', 'testsrc', 'rtsp://s/x');
    await begun;
    // A terminal sends it to the process in front too, which hands it on.
    signals.emit('SIGINT');
    signals.emit('SIGINT');
    expect(exits).toEqual([]);
    clock.advance(400);
    signals.emit('SIGINT');
    expect(exits).toEqual([EXIT.killed]);
  });
});

describe('the exit code', () => {
  const silent = { ...running.outputs[0]!, bytesSent: 0 };
  const ofFailure = (more: Partial<JobStatus>) => exitCode({ ...running, state: 'failed', ...more }, false);

  it('says what happened', () => {
    const stopped = { ...running, state: 'stopped' } as const;
    expect(exitCode(stopped, false)).toBe(EXIT.done);
    expect(exitCode({ ...stopped, outputs: [silent] }, true)).toBe(EXIT.done);
    expect(exitCode({ ...stopped, outputs: [silent] }, false)).toBe(EXIT.output);
    expect(exitCode({ ...stopped, outputs: [...running.outputs, silent] }, true)).toBe(EXIT.some);
    expect(ofFailure({ inputs: [{ ...part, state: 'waiting' }], outputs: [silent] })).toBe(EXIT.input);
    expect(ofFailure({ code: 'DEVICE_MISSING', outputs: [silent] })).toBe(EXIT.input);
    expect(ofFailure({ code: 'RTSP_UNREACHABLE', outputs: [silent] })).toBe(EXIT.output);
    expect(ofFailure({ code: 'FILE_EXISTS', inputs: [{ ...part, state: 'failed' }] })).toBe(EXIT.output);
    expect(ofFailure({ code: 'ENCODER_MISSING' })).toBe(EXIT.codec);
    expect(ofFailure({ code: 'TASK_FAILED', inputs: [{ ...part, state: 'failed' }] })).toBe(EXIT.failed);
  });

  it('stands in docs/jobs.md, every one and no other', () => {
    const page = readFileSync(resolve(import.meta.dirname, '..', '..', 'docs', 'jobs.md'), 'utf8');
    const table = [...page.matchAll(/^\| `(\d+)` \|/gm)].map(([, code]) => Number(code));
    expect(table).toEqual(Object.values(EXIT));
  });
});
