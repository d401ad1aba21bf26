import type { JobType } from '../api/jobs.ts';

/** A field of the form; `address` and `addresses` (one a line) are wide, `choice` has these values. */
export type JobField =
  | {
      readonly key: string;
      readonly kind: 'address' | 'addresses' | 'text';
      readonly label: string;
      readonly example: string;
      readonly optional?: true;
    }
  | { readonly key: string; readonly kind: 'number'; readonly label: string; readonly example: string }
  | {
      readonly key: string;
      readonly kind: 'choice';
      readonly label: string;
      readonly values: readonly string[];
    }
  | { readonly key: string; readonly kind: 'yes'; readonly label: string };

const input = (key = 'input', label = 'input'): JobField => ({
  key,
  label,
  kind: 'address',
  example: 'rtsp://user:password@camera:554/stream',
});
const output = (key = 'output', label = 'output'): JobField => ({
  key,
  label,
  kind: 'address',
  example: 'rtsp://server:8554/live',
});
const loop: JobField = { key: 'loop', kind: 'yes', label: 'loop' };
/** What is left out: a word of the page that stands for `noVideo` and `noAudio`. */
const only: JobField = { key: 'only', kind: 'choice', label: 'only', values: ['both', 'video', 'audio'] };

/** The fields of each type, in the order in which they stand. */
export const JOB_FIELDS: Readonly<Record<JobType, readonly JobField[]>> = {
  push: [input(), output(), only, loop],
  relay: [
    input(),
    {
      key: 'outputs',
      kind: 'addresses',
      label: 'outputs',
      example: 'rtsp://server:8554/live\nrtmp://host/app/key',
    },
    loop,
  ],
  transcode: [
    input(),
    output(),
    { key: 'video', kind: 'choice', label: 'video', values: ['copy', 'h264', 'h265', 'mpeg4'] },
    { key: 'audio', kind: 'choice', label: 'audio', values: ['copy', 'aac', 'opus', 'mp3', 'g711'] },
    { key: 'scale', kind: 'text', label: 'scale', example: '1280x720', optional: true },
    { key: 'bitrate', kind: 'text', label: 'bitrate', example: '2.5M', optional: true },
    { key: 'sampleRate', kind: 'number', label: 'sampleRate', example: '48000' },
    only,
    loop,
  ],
  split: [input(), output('video', 'videoTo'), output('audio', 'audioTo'), loop],
  merge: [
    input('video', 'videoFrom'),
    input('audio', 'audioFrom'),
    output(),
    { key: 'offset', kind: 'number', label: 'offset', example: '0' },
    loop,
  ],
};

/** What is typed in, by the key of its field. */
export type Typed = Readonly<Record<string, string | boolean>>;

/** What the server is told: what is empty is left out. */
export function jobSettings(type: JobType, typed: Typed): Record<string, unknown> {
  const settings: Record<string, unknown> = { type };
  for (const { key, kind } of JOB_FIELDS[type]) {
    const value = typed[key];
    if (typeof value === 'boolean') {
      if (value) settings[key] = true;
      continue;
    }
    const text = value?.trim() ?? '';
    if (text === '') continue;
    if (key === 'only') {
      if (text === 'video') settings['noAudio'] = true;
      if (text === 'audio') settings['noVideo'] = true;
    } else if (kind === 'addresses') {
      settings[key] = text.split(/\s+/);
    } else {
      settings[key] = kind === 'number' && Number.isFinite(Number(text)) ? Number(text) : text;
    }
  }
  return settings;
}
