import { EventEmitter, once } from 'node:events';
import { resolve } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { defaultConfig } from '#config/schema.ts';
import type { ProbeReport } from '#link/messages.ts';
import { systemClock } from '#util/clock.ts';
import { NamedError } from '#util/named-error.ts';
import { verifyPassword } from '#util/password-hash.ts';
import { runCli } from './cli.ts';
import type { CliEnvironment } from './environment.ts';
import { describeProbe } from './probe.ts';

function terminal(options: Partial<CliEnvironment> = {}) {
  const printed: string[] = [];
  const complained: string[] = [];
  const exits: number[] = [];
  const signals = new EventEmitter();
  const environment: CliEnvironment = {
    print: (text) => {
      printed.push(text);
      signals.emit('printed');
    },
    complain: (text) => complained.push(text),
    signals,
    inTerminal: false,
    live: undefined,
    clock: systemClock,
    transport: () => Promise.reject(new Error('Nothing was to be done.')),
    exit: (status) => exits.push(status),
    loadConfig: async () => defaultConfig(),
    createServer: async () => ({
      addresses: {
        http: 'http://127.0.0.1:8888',
        rtsp: 'rtsp://127.0.0.1:8554',
        rtmp: 'rtmp://127.0.0.1:1935',
      },
      close: async () => {},
    }),
    probe: async () => ({ container: 'mp4', tracks: [] }),
    readInput: async () => 'secret\n',
    ...options,
  };
  return { printed, complained, exits, signals, run: (...args: string[]) => runCli(args, environment) };
}

afterEach(() => vi.useRealTimers());

describe('the command line', () => {
  it('explains itself and each command', async () => {
    for (const args of [['--help'], ['-h'], ['serve', '--help'], ['probe', '-h'], ['version', '--help']]) {
      const { run, printed } = terminal();
      expect(await run(...args)).toBe(0);
      expect(printed[0]).toContain('USAGE');
      expect(printed[0]).toContain(
        args.length > 1 ? `sluice ${args[0]}` : 'serve|probe|push|split|merge|relay|transcode|hash|version',
      );
    }
  });

  it('makes the hash of a password for the configuration, each time another one', async () => {
    const { run, printed } = terminal();
    expect(await run('hash')).toBe(0);
    expect(await run('hash')).toBe(0);
    const [first = '', second = ''] = printed;
    expect(first).not.toBe(second);
    for (const hash of printed) expect(await verifyPassword(hash, 'secret')).toBe(true);
    const empty = terminal({ readInput: async () => '\n' });
    expect(await empty.run('hash')).toBe(2);
    expect(empty.complained[0]).toContain('standard input');
  });

  it('says its version', async () => {
    for (const arg of ['version', '--version', '-v']) {
      const { run, printed } = terminal();
      expect(await run(arg)).toBe(0);
      expect(printed[0]).toMatch(/^sluice \d+\.\d+\.\d+, Node v\d+/);
    }
  });

  it('ends with 2 and a sentence for a command, option or argument that there is not', async () => {
    const mistakes: [string[], string][] = [
      [
        ['dance'],
        'There is no command "dance". The commands are: serve, probe, push, split, merge, relay, transcode, hash, version.',
      ],
      [['--loud'], 'There is no option "--loud".'],
      [['toString'], 'There is no command "toString".'],
      [['serve', '--confg', 'x'], 'There is no option "--confg".'],
      [['serve', '-c', 'x'], 'There is no option "-c".'],
      [['serve', '--config'], 'The option "--config" needs a value.'],
      [['serve', '--config', '--json'], 'The option "--config" needs a value.'],
      [['serve', 'now'], '"sluice serve" does not take "now".'],
      [
        ['probe'],
        '"sluice probe" needs an address (rtsp, rtsps, rtmp, rtmps, whep, wheps, http, https, srt, udp) or the path of a file.',
      ],
      [['probe', 'a', 'b'], '"sluice probe" does not take "b".'],
      [
        ['probe', 'a', '--fingerprint', 'ab:cd'],
        'The value of "--fingerprint" must be the SHA-256 of a certificate: 64 hexadecimal digits, colons between pairs allowed.',
      ],
      [['probe', 'a', '--json=yes'], 'The option "--json" takes no value.'],
      [['version', 'x'], '"sluice version" does not take "x".'],
    ];
    for (const [args, sentence] of mistakes) {
      const { run, complained } = terminal();
      expect(await run(...args), args.join(' ')).toBe(2);
      expect(complained[0], args.join(' ')).toContain(sentence);
    }
  });

  it('shows what there is when nothing is asked for', async () => {
    const { run, printed } = terminal();
    expect(await run()).toBe(2);
    expect(printed[0]).toContain('USAGE');
  });

  it('ends with 1 and the sentence alone when something fails', async () => {
    const { run, complained } = terminal({
      probe: () => Promise.reject(new NamedError('INPUT_MISSING', 'There is no file x.mp4.')),
    });
    expect(await run('probe', 'x.mp4')).toBe(1);
    expect(complained).toEqual(['There is no file x.mp4.']);
  });
});

describe('sluice serve', () => {
  it('says where to look, and ends with 0 when it is told to', async () => {
    const paths: (string | undefined)[] = [];
    const close = vi.fn(async () => {});
    const { run, printed, signals } = terminal({
      loadConfig: async (path) => {
        paths.push(path);
        return defaultConfig();
      },
      createServer: async () => ({
        addresses: {
          ...{ http: 'http://h:1', https: 'https://h:4', rtsp: 'rtsp://h:2', rtmp: 'rtmp://h:3' },
        },
        close,
      }),
    });
    const ended = run('serve', '--config', 'my.yml');
    await once(signals, 'printed');
    expect(paths).toEqual(['my.yml']);
    for (const text of ['http://h:1/', 'https://h:4/', 'rtsp://h:2/live', 'rtsp://h:2/demo', 'Ctrl+C']) {
      expect(printed[0]).toContain(text);
    }
    signals.emit('SIGTERM');
    expect(await ended).toBe(0);
    expect(close).toHaveBeenCalledOnce();
  });

  it('has the server watch its file, and read it on SIGHUP unless that means that a terminal was closed', async () => {
    const sources: unknown[] = [];
    for (const inTerminal of [false, true]) {
      const { run, signals } = terminal({
        inTerminal,
        createServer: async (_config, { file, signals: from }) => {
          sources.push([file, from === undefined]);
          return { addresses: { http: 'h', rtsp: 'r', rtmp: 'm' }, close: async () => {} };
        },
      });
      const ended = run('serve', ...(inTerminal ? [] : ['--config', '/etc/my.yml']));
      await once(signals, 'printed');
      signals.emit('SIGTERM');
      await ended;
    }
    expect(sources).toEqual([
      ['/etc/my.yml', false],
      [resolve('sluice.yml'), true],
    ]);
  });

  it('does not speak of the demonstration camera where there is none', async () => {
    const { run, printed, signals } = terminal({
      loadConfig: async () => ({ ...defaultConfig(), demo: false }),
    });
    const ended = run('serve');
    await once(signals, 'printed');
    expect(printed[0]).not.toContain('demo');
    signals.emit('SIGINT');
    expect(await ended).toBe(0);
  });

  it('ends at once with the second signal, and after 5 s when something hangs', async () => {
    vi.useFakeTimers();
    const { run, exits, signals, complained } = terminal({
      createServer: async () => ({
        addresses: { http: 'h', rtsp: 'r', rtmp: 'm' },
        close: () => new Promise(() => {}),
      }),
    });
    void run('serve');
    await vi.advanceTimersByTimeAsync(0);
    signals.emit('SIGINT');
    await vi.advanceTimersByTimeAsync(4999);
    expect(exits).toEqual([]);
    signals.emit('SIGINT');
    expect(exits).toEqual([130]);
    await vi.advanceTimersByTimeAsync(1);
    expect(exits).toEqual([130, 1]);
    expect(complained[0]).toContain('within 5 s');
  });

  it('fails with a sentence when the port is busy', async () => {
    const { run, complained, printed } = terminal({
      createServer: () => Promise.reject(new NamedError('PORT_BUSY', 'Port 8554 (rtsp.port) is taken.')),
    });
    expect(await run('serve')).toBe(1);
    expect(complained).toEqual(['Port 8554 (rtsp.port) is taken.']);
    expect(printed).toEqual([]);
  });
});

describe('sluice probe', () => {
  it('prints a line for each track, or JSON', async () => {
    const report: ProbeReport = {
      container: 'mp4',
      duration: 78.004,
      tracks: [
        {
          ...{ kind: 'video', codec: 'h264', codecString: 'avc1.4d401e', width: 768, height: 576 },
          ...{ fps: 20, keyframeInterval: 2, bitrate: 601_234 },
        },
        { kind: 'audio', codec: 'aac', codecString: 'mp4a.40.2', sampleRate: 44_100, channels: 1 },
      ],
    };
    expect(describeProbe('people.mp4', report).split('\n')).toEqual([
      'people.mp4: mp4, 78 s',
      '  video  h264  avc1.4d401e, 768 × 576, 20 fps, a keyframe every 2 s, 601 kbit/s',
      '  audio  aac   mp4a.40.2, 44.1 kHz, mono',
    ]);
    const { run, printed } = terminal({ probe: async () => report });
    expect(await run('probe', 'people.mp4', '--json')).toBe(0);
    expect(JSON.parse(printed[0] ?? '')).toEqual(report);
  });

  it('prints no password', async () => {
    const { run, printed } = terminal();
    expect(await run('probe', 'rtsp://me:secret@host/stream')).toBe(0);
    expect(printed[0]).toContain('rtsp://');
    expect(printed[0]).not.toContain('secret');
  });
});
