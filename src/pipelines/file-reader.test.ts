import { expect, it } from 'vitest';
import type { Input, InputPacket, InputStream } from './av/input.ts';
import { FileReader } from './file-reader.ts';

/** An input of 29.97 pictures a second and MP3, whose frames end somewhere else than the pictures, without FFmpeg. */
function clip(pictures: number): Input {
  const common = {
    extradata: undefined,
    width: 320,
    height: 180,
    sampleRate: 44_100,
    channels: 2,
    bitRate: 0,
  };
  const streams: InputStream[] = [
    {
      ...{ ...common, index: 0, kind: 'video', codec: 'mpeg4', codecName: 'mpeg4', fps: 30_000 / 1001 },
      timeBase: { num: 1n, den: 30_000n },
    },
    {
      ...{ ...common, index: 1, kind: 'audio', codec: 'mp3', codecName: 'mp3', fps: 0 },
      timeBase: { num: 1n, den: 44_100n },
    },
  ];
  const packet = (stream: number, at: number, duration: number, data: Buffer): InputPacket => {
    const [pts, keyframe] = [BigInt(at), stream === 1 || at === 0];
    return { stream, pts, dts: pts, duration: BigInt(duration), keyframe, discard: false, data };
  };
  // A VOP of MPEG-4 part 2 (6.2.5), and a frame of MP3.
  const vop = (n: number) => Buffer.from([0, 0, 1, 0xb6, n === 0 ? 0x10 : 0x50, n]);
  const frame = Buffer.from([0xff, 0xfb, 0x90, 0, 1]);
  const seconds = (pictures * 1001) / 30_000;
  const all = [
    ...Array.from({ length: pictures }, (_, n) => packet(0, n * 1001, 1001, vop(n))),
    ...Array.from({ length: Math.ceil((seconds * 44_100) / 1152) }, (_, n) =>
      packet(1, n * 1152, 1152, frame),
    ),
  ].toSorted((a, b) => time(a) - time(b));
  let next = 0;
  const input: Pick<Input, 'streams' | 'select' | 'read' | 'rewind'> = {
    streams,
    select() {},
    read: async () => all[next++],
    rewind: async () => {
      next = 0;
    },
  };
  return input as Input;
}

const time = ({ stream, pts }: InputPacket) => Number(pts) / (stream === 0 ? 30_000 : 44_100);

it('repeats a file twenty times without a gap or an overlap over one frame, sound where the picture has it', async () => {
  const pictures = 37;
  const reader = FileReader.create(clip(pictures), true);
  const length = (pictures * 1001) / 30_000;
  const video: number[] = [];
  const audio: number[] = [];
  while (video.length < 20 * pictures) {
    const unit = await reader!.next();
    const at = unit!.pts / unit!.track.clockRate;
    (unit!.track.format.kind === 'video' ? video : audio).push(at);
  }
  const steps = (all: readonly number[]) => all.slice(1).map((at, n) => at - all[n]!);
  // Rounded to ticks of 90 kHz.
  for (const step of steps(video)) expect(Math.abs(step - 1001 / 30_000)).toBeLessThan(2 / 90_000);
  const frame = 1152 / 44_100;
  for (const step of steps(audio)) {
    expect(step).toBeGreaterThan(frame - 2 / 44_100);
    expect(step).toBeLessThan(2 * frame);
  }
  // Of each pass the sound lies as far from the beginning of its pictures as in the file.
  for (const at of audio) {
    const inPass = at - Math.floor((at + 1e-4) / length) * length;
    const inFile = Math.round(inPass / frame) * frame;
    expect(Math.abs(inPass - inFile)).toBeLessThan(1e-4);
  }
});
