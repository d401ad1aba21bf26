import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BARCODE_FLASH, beepDelays, readMarks } from '../support/av-marks.ts';
import { barcodeClip } from '../support/media.ts';
import { probeFile } from '../support/probed-file.ts';
import { type RunningProgram, run, start } from '../support/process.ts';
import { eventually, sluice, type TestSluice } from '../support/sluice.ts';

/** The commands as they are typed, and a server that they send to. */

const command = resolve(import.meta.dirname, '..', '..', 'bin', 'sluice.mjs');
const type = (...args: string[]) => start(command, args, 100_000);

let folder: string;
let clip: string;
let server: TestSluice;
/** A configuration that says where that server is. */
let config: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sluice-commands-'));
  clip = await barcodeClip({ seconds: 2, gop: 25 });
  server = await sluice('demo: false\nstreams:\n  test: { source: testsrc }\n');
  config = join(folder, 'local.yml');
  await writeFile(config, `rtsp: { port: ${new URL(server.rtsp).port} }\n`);
  await server.live('test');
});
afterAll(async () => {
  await server?.[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

const file = (name: string) => join(folder, name);
const to = (stream: string) => `${server.rtsp}/${stream}`;
const codecs = (stream: string) =>
  eventually(async () => {
    const { streams } = await server.get<{
      streams: { name: string; state: string; tracks: { codec: string }[] }[];
    }>('/api/streams');
    const found = streams.find(({ name, state }) => name === stream && state === 'live');
    return found?.tracks.map(({ codec }) => codec).sort();
  }, 60_000);

interface Process {
  readonly pid: number;
  readonly parent: number;
}

async function processes(): Promise<Process[]> {
  const { stdout } = await run('ps', ['-eo', 'pid=,ppid=']);
  const lines = stdout.trim().split('\n');
  return lines.map((line) => {
    const [pid = 0, parent = 0] = line.trim().split(/\s+/).map(Number);
    return { pid, parent };
  });
}

/** Children, and theirs. */
function below(all: readonly Process[], pid: number): Process[] {
  const children = all.filter(({ parent }) => parent === pid);
  return [...children, ...children.flatMap((child) => below(all, child.pid))];
}

/** Ends a command as Ctrl-C does, and gives how it ended. */
async function interrupt(running: RunningProgram) {
  running.child.kill('SIGINT');
  return running.finished;
}

describe('sluice push', () => {
  it('repeats a short clip twenty times without a gap, an overlap, or sound that goes away from its picture', async () => {
    // A second, which is no whole number of sound frames.
    const short = file('short.mp4');
    const cut = [
      '-v',
      'error',
      '-y',
      '-i',
      clip,
      '-t',
      '1',
      '-c:v',
      'libx264',
      '-preset',
      'ultrafast',
      '-g',
      '25',
    ];
    await run('ffmpeg', [...cut, '-bf', '0', '-c:a', 'aac', short]);
    await using pushing = type('push', short, to('loop'), '--loop');
    expect(await codecs('loop')).toEqual(['aac', 'h264']);
    const recording = file('loop.mkv');
    const input = ['-v', 'error', '-y', '-rtsp_transport', 'tcp', '-i', to('loop'), '-t', '21'];
    expect((await run('ffmpeg', [...input, '-c', 'copy', recording])).code).toBe(0);
    const ended = await interrupt(pushing);
    expect(ended.code).toBe(0);
    expect(ended.stderr).toMatch(/Stopped: 00:\d\d\.\d of media, [\d.]+ [kM]B sent\.\s*$/);
    const times = async (kind: 'v' | 'a') => {
      const show = ['-v', 'error', '-select_streams', `${kind}:0`, '-show_entries', 'packet=pts_time'];
      const { stdout } = await run('ffprobe', [...show, '-of', 'csv=p=0', recording]);
      // Of the first ones the reader does not know yet where they stand.
      return stdout.trim().split('\n').map(Number.parseFloat).slice(3);
    };
    const gaps = (all: readonly number[]) => all.slice(1).map((time, n) => (time - all[n]!) * 1000);
    const pictures = gaps(await times('v'));
    const sounds = gaps(await times('a'));
    expect(pictures.length).toBeGreaterThan(20 * 25);
    for (const gap of pictures) expect(Math.abs(gap - 40)).toBeLessThanOrEqual(2);
    // A frame of sound is 21 ms; where it does not fit in front of the seam it is left out.
    for (const gap of sounds) {
      expect(gap).toBeGreaterThan(18);
      expect(gap).toBeLessThan(2 * 21.4 + 2);
    }
    const marks = await readMarks(['-i', recording], 21, BARCODE_FLASH);
    const delays = beepDelays(marks);
    expect(delays.length).toBeGreaterThanOrEqual(18);
    expect(Math.max(...delays) - Math.min(...delays)).toBeLessThanOrEqual(21);
  });

  it('shows a picture for as long as it runs, says how it goes as JSON, and sends by the name of a stream', async () => {
    const photo = file('photo.jpg');
    const made = ['-v', 'error', '-y', '-f', 'lavfi', '-i', 'testsrc2=size=320x180', '-frames:v', '1', photo];
    await run('ffmpeg', made);
    await using pushing = type('push', photo, 'photo', '--config', config, '--json');
    expect(await codecs('photo')).toEqual(['h264']);
    const objects = () =>
      pushing.stdout
        .split('\n')
        .slice(0, -1)
        .map(
          (line) =>
            JSON.parse(line) as { state: string; outputs: { url: string }[]; progress: { timeMs: number } },
        );
    await eventually(() => objects().filter(({ state }) => state === 'running').length >= 2);
    expect((await interrupt(pushing)).code).toBe(0);
    const last = objects().at(-1)!;
    expect(last).toMatchObject({ state: 'stopped', outputs: [{ url: to('photo') }] });
    expect(last.progress.timeMs).toBeGreaterThan(0);
    expect(pushing.stdout).not.toContain('\u001b');
  });

  it('sends only the sound or only the picture', async () => {
    await using sound = type('push', clip, to('sound'), '--no-video', '--loop');
    await using picture = type('push', clip, to('picture'), '--no-audio', '--loop');
    expect(await Promise.all([codecs('sound'), codecs('picture')])).toEqual([['aac'], ['h264']]);
    const ends = await Promise.all([interrupt(sound), interrupt(picture)]);
    expect(ends.map(({ code }) => code)).toEqual([0, 0]);
  });

  it('writes a live stream into a file, which is whole after Ctrl-C, and leaves no process behind', async () => {
    const path = file('live.mp4');
    await using pushing = type('push', to('test'), path);
    await eventually(() => existsSync(path) && pushing.stderr.includes('takes it'), 60_000);
    await new Promise((resolve) => setTimeout(resolve, 1500));
    const workers = below(await processes(), pushing.child.pid!);
    expect((await interrupt(pushing)).code).toBe(0);
    const whole = await probeFile(path);
    expect(JSON.stringify(whole)).toContain('h264');
    expect((await run('ffmpeg', ['-v', 'error', '-i', path, '-f', 'null', '-'])).stderr).toBe('');
    expect(workers.length).toBeGreaterThan(0);
    const after = await processes();
    expect(workers.filter(({ pid }) => after.some((one) => one.pid === pid))).toEqual([]);
  });
});

describe('sluice split, merge, relay and transcode', () => {
  it('split an input, and merge both halves to one again', async () => {
    await using split = type('split', clip, '--video', to('v'), '--audio', to('a'), '--loop');
    expect(await Promise.all([codecs('v'), codecs('a')])).toEqual([['h264'], ['aac']]);
    await using merge = type('merge', '--video', to('v'), '--audio', to('a'), to('m'));
    expect(await codecs('m')).toEqual(['aac', 'h264']);
    const delays = beepDelays(await readMarks(['-rtsp_transport', 'tcp', '-i', to('m')], 4, BARCODE_FLASH));
    expect(delays.length).toBeGreaterThanOrEqual(2);
    // Of this reader, which starts its clocks by what comes first; split-merge.test.ts measures how exact it is.
    for (const delay of delays) expect(Math.abs(delay)).toBeLessThanOrEqual(100);
    expect((await interrupt(merge)).code).toBe(0);
    expect((await interrupt(split)).code).toBe(0);
  });

  it('relay to those outputs that take it, and say by the exit code that one did not', async () => {
    const dead = 'rtsp://me:secret@127.0.0.1:1/dead';
    const ended = await type('relay', clip, to('alive'), dead).finished;
    expect(ended.code).toBe(6);
    expect(ended.stderr).toContain(`${clip} has ended.`);
    expect(ended.stderr).toContain('rtsp://127.0.0.1:1/dead cannot be reached');
    expect(ended.stderr + ended.stdout).not.toContain('secret');
  });

  it('make a film another one as fast as it goes', async () => {
    const path = file('film.mkv');
    const args = ['--video', 'mpeg4', '--scale', '320x', '--audio', 'mp3', '--sample-rate', '44100'];
    const ended = await type('transcode', clip, path, ...args).finished;
    expect([ended.code, ended.stderr]).toEqual([0, expect.stringMatching(/^Done: 00:0[12]\.\d of media/m)]);
    const show = ['-v', 'error', '-show_entries', 'stream=codec_name,width,sample_rate', '-of', 'csv=p=0'];
    const { stdout } = await run('ffprobe', [...show, path]);
    expect(stdout.trim().split('\n')).toEqual(['mpeg4,320', 'mp3,44100']);
  });

  it('say by their exit codes what was wrong', async () => {
    const taken = file('taken.mp4');
    await writeFile(taken, 'mine');
    const end = async (...args: string[]) => {
      const { code, stdout, stderr } = await type(...args).finished;
      expect(stderr).not.toMatch(/^\s+at /m);
      return [code, stdout + stderr];
    };
    const cases: [string[], number, string][] = [
      [['push', clip], 2, '"sluice push" needs an output'],
      [['push', file('no.mp4'), to('x')], 3, 'There is no file'],
      [['push', 'camera:9', to('x')], 3, 'There is no camera "9" on this machine.'],
      [['push', clip, 'rtsp://127.0.0.1:1/x'], 4, 'cannot be reached'],
      [['push', clip, taken], 4, `There is a file "${taken}" already`],
      [['transcode', clip, file('x.m4a'), '--audio', 'opus'], 5, 'M4A cannot carry Opus; it can carry AAC.'],
    ];
    const ends = await Promise.all(cases.map(([args]) => end(...args)));
    expect(ends).toEqual(cases.map(([, code, sentence]) => [code, expect.stringContaining(sentence)]));
  });

  it('end quietly when whoever reads their output is gone', async () => {
    const line = `"${command}" push "${clip}" "${to('piped')}" --loop --json | head -n 1`;
    const ended = await start('bash', ['-c', `${line}; echo "ended \${PIPESTATUS[0]}"`], 60_000).finished;
    expect(ended.stdout).toMatch(/^\{.*\}\nended 0\n$/);
    expect(ended.stderr).not.toMatch(/^\s+at |EPIPE/m);
  });
});
