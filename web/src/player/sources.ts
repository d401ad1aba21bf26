import { HLS_TYPE, HlsSource } from './hls-source.ts';
import type { Rung, Standing } from './ladder.ts';
import { MjpegSource } from './mjpeg-source.ts';
import { MseSource } from './mse-source.ts';
import type { PlayerSource, SourceOptions } from './source.ts';
import { WebRtcSource } from './webrtc-source.ts';

const makers: Readonly<Record<Rung, new (options: SourceOptions) => PlayerSource>> = {
  webrtc: WebRtcSource,
  mse: MseSource,
  hls: HlsSource,
  mjpeg: MjpegSource,
};

export function openSource(rung: Rung, options: SourceOptions): PlayerSource {
  return new makers[rung](options);
}

/** What this browser cannot do at all. */
export function missingRungs(video: HTMLVideoElement): Map<Rung, Standing> {
  const {
    RTCPeerConnection: peer,
    MediaSource: media,
    ManagedMediaSource: managed,
  } = globalThis as {
    readonly RTCPeerConnection?: unknown;
    readonly MediaSource?: unknown;
    readonly ManagedMediaSource?: unknown;
  };
  const missing: Rung[] = [];
  if (!peer) missing.push('webrtc');
  if (!media) missing.push('mse');
  if (!media && !managed && video.canPlayType(HLS_TYPE) === '') missing.push('hls');
  const standing: Standing = { setback: { kind: 'missing' }, until: Infinity, failedAt: 0, failures: 1 };
  return new Map(missing.map((rung) => [rung, standing]));
}
