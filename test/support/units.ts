import type { AccessUnit } from '#media/access-unit.ts';
import type { AudioTrack, VideoTrack } from '#media/track.ts';

export const video: VideoTrack = {
  id: 0,
  clockRate: 90_000,
  format: {
    kind: 'video',
    codec: 'h264',
    parameterSets: [],
    width: 640,
    height: 360,
    codecString: 'avc1.42c01e',
  },
};

export const audio: AudioTrack = {
  id: 1,
  clockRate: 48_000,
  format: {
    kind: 'audio',
    codec: 'aac',
    sampleRate: 48_000,
    channels: 2,
    config: Buffer.from('1190', 'hex'),
    codecString: 'mp4a.40.2',
  },
};

/** Picture `n` of a 25 fps stream that began at `start` (ms); every `gop`th is a keyframe. */
export function picture(
  n: number,
  { gop = 25, size = 100, track = video, start = 1_700_000_000_000 } = {},
): AccessUnit {
  const pts = n * 3600;
  return {
    track,
    pts,
    dts: pts,
    keyframe: n % gop === 0,
    ntp: start + n * 40,
    payload: [Buffer.alloc(size, n)],
  };
}

/** AAC frame `n` of 1024 samples. */
export function sound(n: number, { size = 50, track = audio, start = 1_700_000_000_000 } = {}): AccessUnit {
  const pts = n * 1024;
  return {
    track,
    pts,
    dts: pts,
    keyframe: true,
    ntp: start + (pts / 48_000) * 1000,
    payload: [Buffer.alloc(size, n)],
  };
}
