import { copyFile, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ConversionStatistics, TaskSpec } from '#link/messages.ts';
import type { RenditionRequest } from '#media/rendition-request.ts';
import { type FileKind, fileKind, OUTPUTS } from '../../src/media/outputs.ts';
import { BARCODE_FLASH, beepDelays, readMarks } from '../support/av-marks.ts';
import { FakeHub } from '../support/fake-hub.ts';
import { barcodeClip } from '../support/media.ts';
import { type ProbedFile, probeFile } from '../support/probed-file.ts';
import { run } from '../support/process.ts';

const SECONDS = 4;
const FRAMES = SECONDS * 25;
let hub: FakeHub;
let folder: string;
/** H.264 with B-frames and AAC; the picture begins at zero. */
let clip: string;
let source: ProbedFile;

type Wishes = Pick<Extract<TaskSpec, { kind: 'convert' }>, 'video' | 'audio' | 'seconds' | 'within'>;

beforeAll(async () => {
  clip = await barcodeClip({ seconds: SECONDS, bframes: 2, gop: 25 });
  [hub, folder, source] = await Promise.all([
    FakeHub.start(),
    mkdtemp(join(tmpdir(), 'sluice-convert-')),
    probeFile(clip),
  ]);
});

afterAll(async () => {
  await hub?.[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

/** Begins a conversion of the clip. */
function begin(
  name: string,
  wishes: Wishes = {},
  input = clip,
): { readonly task: string; readonly path: string } {
  const path = join(folder, name);
  const container = fileKind(path)!;
  return { path, task: hub.task({ kind: 'convert', input, output: { path, container }, ...wishes }) };
}

async function convert(name: string, wishes: Wishes = {}): Promise<ProbedFile> {
  const { task, path } = begin(name, wishes);
  const state = await hub.find(
    'task.state',
    (message) => message.task === task && (message.state === 'done' || message.state === 'failed'),
    60_000,
  );
  expect(state, name).toMatchObject({ state: 'done', reason: 'The file is at its end.' });
  return probeFile(path);
}

async function residentBytes(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) * 1024;
}

/** Each picture at the time of its source, to the tick of the container. */
function expectTimes(made: ProbedFile, tick = 0.0011): void {
  expect(made.pictures).toHaveLength(FRAMES);
  const offset = made.pictures[0]! - source.pictures[0]!;
  for (const [n, time] of made.pictures.entries()) {
    expect(Math.abs(time - source.pictures[n]! - offset)).toBeLessThan(tick);
  }
}

async function expectStep(name: string): Promise<void> {
  const before = beepDelays(await readMarks(['-i', clip], SECONDS, BARCODE_FLASH));
  const after = beepDelays(await readMarks(['-i', join(folder, name)], SECONDS, BARCODE_FLASH));
  expect(after.length).toBeGreaterThanOrEqual(2);
  for (const [n, delay] of after.entries()) expect(Math.abs(delay - before[n]!)).toBeLessThanOrEqual(20);
}

describe('a file that is made another one', () => {
  it.each<
    readonly [
      name: string,
      video: RenditionRequest | undefined,
      audio: RenditionRequest | undefined,
      expected: object,
    ]
  >([
    [
      'small.mp4',
      { codec: 'h264', width: 320, bitRate: 400_000, hardware: 'auto' },
      { codec: 'aac', sampleRate: 44_100, channels: 2, bitRate: 96_000 },
      {
        video: { codec: 'h264', width: 320, height: 180 },
        audio: { codec: 'aac', sampleRate: 44_100, channels: 2 },
      },
    ],
    [
      'modern.mkv',
      { codec: 'h265', width: 320, height: 240 },
      { codec: 'opus' },
      {
        video: { codec: 'hevc', width: 320, height: 240, pixelAspect: '4:3' },
        audio: { codec: 'opus', sampleRate: 48_000, channels: 1 },
      },
    ],
    [
      'old.ts',
      { codec: 'mpeg4' },
      { codec: 'mp3' },
      {
        video: { codec: 'mpeg4', width: 640, height: 360 },
        audio: { codec: 'mp3', sampleRate: 48_000, channels: 1 },
      },
    ],
    [
      'apple.mov',
      undefined,
      { codec: 'pcma' },
      {
        video: { codec: 'h264', width: 640, height: 360 },
        audio: { codec: 'pcm_alaw', sampleRate: 8000, channels: 1 },
      },
    ],
    // FLV has no number for MP3 at 48 kHz: 44.1 comes by itself.
    [
      'flash.flv',
      undefined,
      { codec: 'mp3' },
      { video: { codec: 'h264' }, audio: { codec: 'mp3', sampleRate: 44_100 } },
    ],
    [
      'modern.mp4',
      { codec: 'h265' },
      undefined,
      { video: { codec: 'hevc', tag: 'hvc1' }, audio: { codec: 'aac' } },
    ],
  ])(
    'is %s with what was wished for, each picture at its time, sound in step',
    async (name, video, audio, expected) => {
      const made = await convert(name, { ...(video && { video }), ...(audio && { audio }) });
      expect(made).toMatchObject(expected);
      expectTimes(made);
      expect(Math.abs(made.duration - SECONDS)).toBeLessThan(0.15);
      await expectStep(name);
    },
  );

  it('reads no other file than that which was named, where it has to be in certain folders', async () => {
    await copyFile(clip, join(folder, 'named.mp4'));
    const list = join(folder, 'list.ffconcat');
    await writeFile(list, 'ffconcat version 1.0\nfile named.mp4\n');
    const end = (name: string, input: string) => {
      const { task } = begin(name, { within: [folder], seconds: 1 }, input);
      return hub.find(
        'task.state',
        (message) => message.task === task && (message.state === 'done' || message.state === 'failed'),
        60_000,
      );
    };
    const [named, other] = await Promise.all([
      end('of-named.mp4', join(folder, 'named.mp4')),
      end('of-list.mp4', list),
    ]);
    expect(named).toMatchObject({ state: 'done' });
    expect(other).toMatchObject({ state: 'failed', code: 'INPUT_UNREADABLE' });
  });

  it('is sound alone where the file carries no picture, in the codec that it carries', async () => {
    for (const [name, audio] of [
      ['sound.mp3', { codec: 'mp3', sampleRate: 48_000 }],
      ['sound.wav', { codec: 'pcm_alaw', sampleRate: 8000 }],
      ['sound.ogg', { codec: 'opus', sampleRate: 48_000 }],
      ['sound.m4a', { codec: 'aac', sampleRate: 48_000 }],
      ['sound.aac', { codec: 'aac', sampleRate: 48_000 }],
    ] as const) {
      const made = await convert(name);
      expect(made, name).toMatchObject({ audio, video: undefined });
      expect(Math.abs(made.duration - SECONDS), name).toBeLessThan(0.15);
    }
  });

  it('has about the bits that were wished for, whatever the codec', async () => {
    // Noise, of which no encoder gets done before its bits are spent.
    const noise = join(folder, 'noise.mkv');
    const graph = ['-f', 'lavfi', '-i', 'testsrc2=s=320x180:r=25:d=4', '-vf', 'noise=alls=40:allf=t'];
    const made = ['-c:v', 'libx264', '-preset', 'ultrafast', '-qp', '20', noise];
    expect((await run('ffmpeg', ['-v', 'error', ...graph, ...made])).code).toBe(0);
    for (const codec of ['h264', 'h265', 'mpeg4'] as const) {
      const { task, path } = begin(`rate-${codec}.mkv`, { video: { codec, bitRate: 1_000_000 } }, noise);
      await hub.state(task, 'done');
      const rate = ((await stat(path)).size * 8) / 4;
      expect(rate, codec).toBeGreaterThan(650_000);
      expect(rate, codec).toBeLessThan(1_500_000);
    }
  });

  it('has the pictures that were wished for, and says how far it is', async () => {
    const { task, path } = begin('few.mkv', { video: { codec: 'h264', fps: 10 }, audio: 'none', seconds: 3 });
    expect(await hub.state(task, 'done')).toMatchObject({ reason: 'So much was asked for: 3 s.' });
    const made = await probeFile(path);
    expect(made.audio).toBeUndefined();
    expect(made.pictures.length).toBe(30);
    const statistics = hub
      .all('task.statistics')
      .filter((message) => message.task === task)
      .at(-1)!.statistics as ConversionStatistics;
    expect(statistics).toMatchObject({ durationMs: 3000 });
    expect(statistics.timeMs).toBeGreaterThan(2800);
    expect(statistics.speed).toBeGreaterThan(0);
    expect(Math.abs(statistics.bytesSent - (await stat(path)).size)).toBeLessThan(4096);
  });

  it('may come of a picture or of the test picture, as long as is asked for', async () => {
    const photo = join(folder, 'photo.jpg');
    const { code } = await run('ffmpeg', ['-v', 'error', '-i', clip, '-frames:v', '1', photo]);
    expect(code).toBe(0);
    const tasks = [
      begin('still.mp4', { seconds: 3, video: { codec: 'h264', width: 320 } }, photo),
      begin('test.mkv', { seconds: 3, audio: { codec: 'opus' } }, 'testsrc'),
    ];
    for (const { task, path } of tasks) {
      await hub.state(task, 'done');
      const made = await probeFile(path);
      expect(made).toMatchObject({ stderr: '', video: { codec: 'h264' } });
      expect(Math.abs(made.duration - 3)).toBeLessThan(0.3);
    }
    expect((await probeFile(tasks[1]!.path)).audio).toMatchObject({ codec: 'opus' });
    const endless = await hub.state(begin('never.mp4', {}, photo).task, 'failed');
    expect(endless).toMatchObject({ code: 'INPUT_ENDLESS' });
  });

  it('holds what the table says that it can, copied, as another program reads it', async () => {
    const clips = {
      av1: { video: 'av1', audio: 'opus' },
      vp9: { video: 'vp9', audio: 'opus' },
      vp8: { video: 'vp8', audio: 'opus' },
      h265: { video: 'h265', audio: 'aac' },
      h264: { video: 'h264', audio: 'ac3' },
      g711: { video: 'h264', audio: 'pcma' },
    } as const;
    const inputs = await Promise.all(
      Object.values(clips).map((options) =>
        barcodeClip({ seconds: 2, gop: 25, container: 'mkv', ...options }),
      ),
    );
    const old = begin('table.mkv', {
      video: { codec: 'mpeg4' },
      audio: { codec: 'mp3', sampleRate: 44_100 },
    });
    await hub.state(old.task, 'done');
    inputs.push(old.path);
    const names = { video: { hevc: 'h265' }, audio: { pcm_alaw: 'pcma' } } as const;
    const found = new Map<FileKind, Set<string>>();
    for (const [at, input] of inputs.entries()) {
      const source = await probeFile(input);
      // Whatever is not carried is left out, so that each codec is tried everywhere.
      const codecOf = (of: 'video' | 'audio') => {
        const codec = source[of]!.codec;
        return (names[of] as Record<string, string>)[codec] ?? codec;
      };
      const copy = async (kind: FileKind) => {
        const { video, audio } = OUTPUTS[kind];
        const carried = {
          video: (video as readonly string[]).includes(codecOf('video')),
          audio: (audio as readonly string[]).includes(codecOf('audio')),
        };
        if (!carried.video && !carried.audio) return;
        const { task, path } = begin(
          `table-${at}.${kind}`,
          { ...(!carried.video && { video: 'none' }), ...(!carried.audio && { audio: 'none' }) },
          input,
        );
        const isEnd = (message: { task: string; state: string }) =>
          message.task === task && /done|failed/.test(message.state);
        expect(await hub.find('task.state', isEnd, 60_000), path).toMatchObject({ state: 'done' });
        const made = await probeFile(path);
        expect(made.stderr, path).toBe('');
        for (const of of ['video', 'audio'] as const) {
          expect(made[of]?.codec, path).toBe(carried[of] ? source[of]!.codec : undefined);
          if (carried[of]) found.set(kind, (found.get(kind) ?? new Set()).add(codecOf(of)));
        }
        expect(Math.abs(made.duration - source.duration), path).toBeLessThan(0.2);
      };
      const kinds = (Object.keys(OUTPUTS) as FileKind[]).filter((kind) => fileKind(`x.${kind}`) === kind);
      await Promise.all(kinds.map(copy));
    }
    for (const [kind, codecs] of found) {
      const { video, audio } = OUTPUTS[kind];
      // G.711 of the other law is coded alike.
      const all = [...video, ...audio].filter((codec) => codec !== 'pcmu');
      expect([...codecs].sort(), kind).toEqual(all.sort());
    }
  });

  it('that is stopped half-way is complete with what it has, and memory is bounded on the way', async () => {
    // Ten minutes of media, of which only what is under way is in memory.
    const long = join(folder, 'long.mkv');
    const loop = ['-v', 'error', '-stream_loop', '150', '-i', clip, '-c', 'copy', long];
    expect((await run('ffmpeg', loop)).code).toBe(0);
    const { task, path } = begin('half.mp4', { video: { codec: 'h264', width: 160 } }, long);
    const far = (ms: number) => (message: { task: string; statistics: unknown }) =>
      message.task === task && (message.statistics as ConversionStatistics).timeMs > ms;
    await hub.find('task.statistics', far(5000), 60_000);
    const before = await residentBytes(hub.worker.pid!);
    await hub.find('task.statistics', far(40_000), 90_000);
    expect((await residentBytes(hub.worker.pid!)) - before).toBeLessThan(150 << 20);
    hub.stop(task);
    expect(await hub.state(task, 'done')).toMatchObject({ reason: 'Stopped.' });
    const made = await probeFile(path);
    expect(made).toMatchObject({ stderr: '', video: { codec: 'h264', width: 160, height: 90 } });
    expect(made.duration).toBeGreaterThan(40);
    expect(Math.abs(made.pictures.at(-1)! - made.sounds.at(-1)!)).toBeLessThan(3);
  });

  it('that cannot be is refused in a sentence that says what could', async () => {
    const failed = async (wishes: Wishes, name: string, input = clip) =>
      hub.state(begin(name, wishes, input).task, 'failed');
    expect(await failed({ video: { codec: 'h264' } }, 'a.webm')).toMatchObject({
      code: 'CODEC_UNSUPPORTED',
      reason: `"${join(folder, 'a.webm')}": WebM cannot carry H.264; it can carry VP9, VP8, AV1.`,
    });
    expect(await failed({ audio: { codec: 'opus', sampleRate: 44_100 } }, 'b.mkv')).toMatchObject({
      code: 'RENDITION_UNSUPPORTED',
      reason: 'opus cannot have 44100 Hz. It can have 48000.',
    });
    expect(await failed({ video: { codec: 'h264', width: 321 } }, 'c.mkv')).toMatchObject({
      code: 'RENDITION_UNSUPPORTED',
    });
    expect(await failed({}, 'd.mkv', join(folder, 'nothing.mp4'))).toMatchObject({ code: 'INPUT_MISSING' });
    expect(await failed({}, 'sound.mp3')).toMatchObject({ code: 'FILE_EXISTS' });
    expect(await failed({}, 'nowhere/e.mkv')).toMatchObject({ code: 'FILE_NOT_WRITABLE' });
    const own = {
      kind: 'convert',
      input: clip,
      output: { path: clip, container: 'mp4', overwrite: true },
    } as const;
    expect(await hub.state(hub.task(own), 'failed')).toMatchObject({ code: 'FILE_EXISTS' });
    expect((await probeFile(clip)).pictures).toHaveLength(FRAMES);
  });
});
