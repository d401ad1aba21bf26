import { AV_PIX_FMT_YUV420P } from 'node-av/constants';
import { Codec, Frame } from 'node-av/lib';
import { messageOf } from '#util/named-error.ts';
import { type HardwareEncoder, hardwareCandidates } from './hardware-encoders.ts';
import { check } from './library.ts';
import { Picture } from './video.ts';
import { VideoEncoder } from './video-encoder.ts';

type Log = (level: 'info' | 'warn', message: string) => void;

/** A size that every encoder takes. */
const TRIAL = { width: 640, height: 368 } as const;

const found = new Map<string, Promise<HardwareEncoder | undefined>>();

/**
 * The encoder of this machine's graphics hardware that works, found out once for each codec of this process: each
 * candidate is opened and given a picture, because drivers promise what they cannot do. Undefined: there is none, which
 * is said in the log.
 */
export function workingHardware(codec: 'h264' | 'h265', log: Log): Promise<HardwareEncoder | undefined> {
  let search = found.get(codec);
  if (!search) found.set(codec, (search = searchFor(codec, log)));
  return search;
}

/** It has failed at work: from now on software does it in this process. */
export function giveUpHardware(codec: 'h264' | 'h265'): void {
  found.set(codec, Promise.resolve(undefined));
}

async function searchFor(codec: 'h264' | 'h265', log: Log): Promise<HardwareEncoder | undefined> {
  const failures: string[] = [];
  for (const candidate of hardwareCandidates(codec)) {
    if (!Codec.findEncoderByName(candidate.name)) continue;
    try {
      await tryOut(codec, candidate);
      log('info', `Pictures are made ${codec} by the graphics hardware (${candidate.name}).`);
      return candidate;
    } catch (error) {
      failures.push(`${candidate.name}: ${messageOf(error)}`);
    }
  }
  const why = failures.join(' ') || 'this FFmpeg has none for this kind of machine.';
  log('info', `No graphics hardware makes ${codec} here, software does. ${why}`);
  return undefined;
}

async function tryOut(codec: 'h264' | 'h265', hardware: HardwareEncoder): Promise<void> {
  const options = { codec, ...TRIAL, fps: 25, gop: 25, hardware };
  const encoder = await VideoEncoder.open({
    ...options,
    pace: { kind: 'live', bitRate: 1_000_000, haste: 'none' },
  });
  const frame = new Frame();
  frame.alloc();
  Object.assign(frame, { ...TRIAL, format: AV_PIX_FMT_YUV420P });
  const picture = new Picture(frame);
  try {
    check(frame.getBuffer(), 'making room for a picture');
    for (const plane of frame.data ?? []) plane.fill(128);
    const made = [...(await encoder.encode(picture, 0, true)), ...(await encoder.drain())];
    if (!made[0]?.keyframe) throw new Error('It gave no keyframe.');
  } finally {
    picture.release();
    encoder.close();
  }
}
