import { describe, expect, it } from 'vitest';
import { type JobInput, type JobOutput, planJob } from './plan.ts';

const film: JobInput = {
  kind: 'source',
  source: { kind: 'file', path: '/films/a.mp4', loop: true, onDemand: undefined },
};
const yard: JobInput = { kind: 'stream', stream: 'yard' };
const output = (url: string): JobOutput => ({ url, trust: { fingerprint: undefined, insecure: false } });
const cloud = output('rtsp://cloud/x');
const all = { noVideo: false, noAudio: false };

describe('the plan of a job', () => {
  it('pushes what a source brings as it is, without anything in between', () => {
    expect(planJob({ type: 'push', name: 'a', input: film, output: cloud, ...all })).toEqual({
      name: 'a',
      type: 'push',
      sources: [{ kind: 'file', path: '/films/a.mp4', loop: true, onDemand: undefined, stream: 'jobs/a' }],
      reads: [],
      compositions: [],
      outputs: [{ ...cloud, stream: 'jobs/a' }],
    });
  });

  it('reads a stream of this server where it is', () => {
    const plan = planJob({ type: 'relay', name: 'a', input: yard, outputs: [cloud, output('rtmp://b/c/d')] });
    expect(plan).toMatchObject({ sources: [], reads: ['yard'], compositions: [] });
    expect(plan.outputs.map(({ stream, url }) => [stream, url])).toEqual([
      ['yard', 'rtsp://cloud/x'],
      ['yard', 'rtmp://b/c/d'],
    ]);
  });

  it('chooses the sound or the picture of an input that comes in under another name', () => {
    const plan = planJob({ type: 'push', name: 'a', input: film, output: cloud, ...all, noVideo: true });
    expect(plan.sources[0]?.stream).toBe('jobs/a/in');
    expect(plan.compositions).toEqual([{ name: 'jobs/a', parts: [{ stream: 'jobs/a/in', kind: 'audio' }] }]);
    const silent = planJob({ type: 'push', name: 'a', input: yard, output: cloud, ...all, noAudio: true });
    expect(silent.compositions).toEqual([{ name: 'jobs/a', parts: [{ stream: 'yard', kind: 'video' }] }]);
  });

  it('splits one input into a stream of the picture and one of the sound', () => {
    const plan = planJob({
      type: 'split',
      name: 'a',
      input: film,
      video: output('rtsp://v/v'),
      audio: output('rtsp://a/a'),
    });
    expect(plan.sources).toHaveLength(1);
    expect(plan.compositions).toEqual([
      { name: 'jobs/a/video', parts: [{ stream: 'jobs/a/in', kind: 'video' }] },
      { name: 'jobs/a/audio', parts: [{ stream: 'jobs/a/in', kind: 'audio' }] },
    ]);
    expect(plan.outputs.map(({ stream, url }) => [stream, url])).toEqual([
      ['jobs/a/video', 'rtsp://v/v'],
      ['jobs/a/audio', 'rtsp://a/a'],
    ]);
  });

  it('merges two inputs, the sound moved where that is asked for', () => {
    const merge = { type: 'merge', name: 'a', video: yard, audio: film, output: cloud } as const;
    const plan = planJob({ ...merge, offsetMs: 40 });
    expect(plan.sources.map(({ stream }) => stream)).toEqual(['jobs/a/audio']);
    expect(plan.reads).toEqual(['yard']);
    expect(plan.compositions[0]?.parts).toEqual([
      { stream: 'yard', kind: 'video' },
      { stream: 'jobs/a/audio', kind: 'audio', offsetMs: 40 },
    ]);
    const same = planJob({ ...merge, audio: yard, offsetMs: 0 });
    expect(same.reads).toEqual(['yard']);
    expect(same.compositions[0]?.parts[1]).toEqual({ stream: 'yard', kind: 'audio' });
  });

  it('makes renditions of what is to be another codec, and leaves the rest as it is', () => {
    const transcode = { type: 'transcode', name: 'a', input: yard, output: cloud, ...all } as const;
    const sound = planJob({ ...transcode, video: undefined, audio: { codec: 'aac' } });
    expect(sound.compositions[0]?.parts).toEqual([
      { stream: 'yard', rendition: { audio: { codec: 'aac' } } },
    ]);
    const silent = planJob({
      ...transcode,
      video: { codec: 'h264' },
      audio: { codec: 'aac' },
      noAudio: true,
    });
    expect(silent.compositions[0]?.parts).toEqual([
      { stream: 'yard', kind: 'video', rendition: { video: { codec: 'h264' } } },
    ]);
    const copied = planJob({ ...transcode, video: undefined, audio: undefined });
    expect(copied.compositions).toEqual([]);
  });

  it('converts a file into a file at once, but not what has no end or has to be shown in time', () => {
    const once = (path: string, loop = false): JobInput => ({
      kind: 'source',
      source: { kind: 'file', path, loop, onDemand: undefined },
    });
    const into = (input: JobInput, url: string) =>
      planJob({ type: 'push', name: 'a', input, output: output(url), ...all });
    expect(into(once('/films/a.mp4'), '/out/a.mkv')).toMatchObject({
      conversion: { input: { path: '/films/a.mp4' }, output: { url: '/out/a.mkv' } },
      sources: [],
      outputs: [],
    });
    for (const input of [once('/films/a.mp4', true), once('/a.jpg'), once('/films.d/folder'), yard]) {
      expect(into(input, '/out/a.mkv').conversion).toBeUndefined();
    }
    expect(into(once('/films/a.mp4'), 'rtsp://a/b').conversion).toBeUndefined();
  });

  it('makes what the output takes, at the rate that it takes, and refuses what it does not', () => {
    const transcode = { type: 'transcode', name: 'a', input: yard, video: undefined, ...all } as const;
    const rtmp = output('rtmp://host/app/key');
    const made = planJob({ ...transcode, output: rtmp, audio: { codec: 'mp3' } });
    expect(made.compositions[0]?.parts[0]?.rendition).toEqual({
      audio: { codec: 'mp3', sampleRate: 44_100 },
    });
    expect(() =>
      planJob({ ...transcode, output: rtmp, audio: { codec: 'mp3', sampleRate: 32_000 } }),
    ).toThrow(expect.objectContaining({ code: 'CODEC_UNSUPPORTED' }) as Error);
    // What is left out need not be carried.
    const mpeg4 = { ...transcode, output: rtmp, audio: undefined, video: { codec: 'mpeg4' } } as const;
    expect(() => planJob(mpeg4)).toThrow('RTMP cannot carry MPEG-4');
    expect(planJob({ ...mpeg4, noVideo: true }).compositions[0]?.parts).toEqual([
      { stream: 'yard', kind: 'audio' },
    ]);
  });
});
