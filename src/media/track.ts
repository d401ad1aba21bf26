/**
 * What a stream is made of. A Track is immutable: when parameters change in mid-stream (new SPS, new resolution) the
 * publisher makes a new Track with the same `id`, and the access units that follow carry it. Whoever consumes access
 * units notices a change by identity (`unit.track !== last`), so a change can never overtake or lag its pictures.
 */
export interface Track {
  /** Unique within its stream; stays the same when the format changes. */
  readonly id: number;
  /** Ticks per second of `pts` and `dts`: 90 000 for video, the sample rate for audio (48 000 for Opus, RFC 7587). */
  readonly clockRate: number;
  readonly format: TrackFormat;
}

export type TrackFormat = VideoFormat | AudioFormat | DataFormat;
export type VideoCodec = 'h264' | 'h265' | 'av1' | 'vp8' | 'vp9' | 'mjpeg' | 'mpeg4';
export type AudioCodec = 'aac' | 'opus' | 'ac3' | 'pcma' | 'pcmu' | 'mp3';

export interface VideoFormat {
  readonly kind: 'video';
  readonly codec: VideoCodec;
  /**
   * NAL units without start codes: H.264 [SPS, PPS…], H.265 [VPS, SPS, PPS…]; AV1: its sequence header, a unit with its
   * size. Empty until the first ones were seen, and for codecs that have none.
   */
  readonly parameterSets: readonly Buffer[];
  /** Pixels after cropping; 0 while unknown. */
  readonly width: number;
  readonly height: number;
  /** RFC 6381, e.g. `avc1.64001f`; empty while unknown. */
  readonly codecString: string;
}

export interface AudioFormat {
  readonly kind: 'audio';
  readonly codec: AudioCodec;
  readonly sampleRate: number;
  readonly channels: number;
  /**
   * AAC: the AudioSpecificConfig (ISO/IEC 14496-3). AC-3: the body of `dac3` (ETSI TS 102 366), empty until the first
   * frame was seen. Empty for every other codec.
   */
  readonly config: Buffer;
  /** RFC 6381, e.g. `mp4a.40.2`, `opus`; for codecs without one the SDP encoding name in lower case. */
  readonly codecString: string;
}

export interface DataFormat {
  readonly kind: 'data';
  readonly codec: string;
}

export type VideoTrack = Track & { readonly format: VideoFormat };
export type AudioTrack = Track & { readonly format: AudioFormat };

export function isVideo(track: Track): track is VideoTrack {
  return track.format.kind === 'video';
}

export function isAudio(track: Track): track is AudioTrack {
  return track.format.kind === 'audio';
}
