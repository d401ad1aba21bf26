import { run } from './process.ts';

/** What ffprobe, another program than the one that wrote it, finds in a file. */
export interface ProbedFile {
  /** Seconds. */
  readonly duration: number;
  readonly video:
    | {
        readonly codec: string;
        readonly tag: string;
        readonly width: number;
        readonly height: number;
        readonly pixelAspect: string | undefined;
      }
    | undefined;
  readonly audio:
    | { readonly codec: string; readonly sampleRate: number; readonly channels: number }
    | undefined;
  /** Times of the pictures in order of display, seconds. */
  readonly pictures: readonly number[];
  /** Times of the sounds, seconds. */
  readonly sounds: readonly number[];
  /** What it has to complain about. */
  readonly stderr: string;
}

interface Probed {
  readonly format: { readonly duration?: string };
  readonly streams: readonly {
    readonly codec_type: string;
    readonly codec_name: string;
    readonly codec_tag_string: string;
    readonly width: number;
    readonly height: number;
    readonly sample_aspect_ratio?: string;
    readonly sample_rate: string;
    readonly channels: number;
  }[];
  readonly packets: readonly { readonly codec_type: string; readonly pts_time?: string }[];
}

export async function probeFile(path: string): Promise<ProbedFile> {
  const { code, stdout, stderr } = await run('ffprobe', [
    ...['-v', 'error', '-of', 'json', '-show_format', '-show_streams'],
    ...['-show_entries', 'packet=codec_type,pts_time', path],
  ]);
  if (code !== 0) throw new Error(`ffprobe cannot read ${path}: ${stderr}`);
  const { format, streams, packets } = JSON.parse(stdout) as Probed;
  const video = streams.find(({ codec_type }) => codec_type === 'video');
  const audio = streams.find(({ codec_type }) => codec_type === 'audio');
  const times = (kind: string) =>
    packets
      .filter(({ codec_type, pts_time }) => codec_type === kind && pts_time !== undefined)
      .map(({ pts_time }) => Number(pts_time))
      .sort((a, b) => a - b);
  return {
    duration: Number(format.duration ?? 0),
    video: video && {
      codec: video.codec_name,
      tag: video.codec_tag_string,
      ...{ width: video.width, height: video.height, pixelAspect: video.sample_aspect_ratio },
    },
    audio: audio && {
      codec: audio.codec_name,
      sampleRate: Number(audio.sample_rate),
      channels: audio.channels,
    },
    pictures: times('video'),
    sounds: times('audio'),
    stderr,
  };
}
