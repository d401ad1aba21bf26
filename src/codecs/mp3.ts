import type { AudioFormat, AudioTrack } from '#media/track.ts';

const RATES = [44_100, 48_000, 32_000];
/** Bits per second by the index in the header, in thousands: of MPEG-1, and of MPEG-2 and 2.5. */
const FIRST_BIT_RATES = [0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320];
const SECOND_BIT_RATES = [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160];

export interface Mp3Header {
  readonly sampleRate: number;
  readonly channels: number;
  /** In the frame, per channel. */
  readonly samples: number;
  /** Bytes of the whole frame. */
  readonly size: number;
}

/** What the header of an MPEG audio layer III frame says (ISO/IEC 11172-3 section 2.4.2.3); undefined for any other. */
export function parseMp3Header(frame: Buffer): Mp3Header | undefined {
  if (frame.length < 4 || frame[0] !== 0xff || (frame[1]! & 0xe0) !== 0xe0) return undefined;
  const version = (frame[1]! >> 3) & 3;
  const layer = (frame[1]! >> 1) & 3;
  const rate = RATES[(frame[2]! >> 2) & 3];
  const isFirst = version === 3;
  const bitRate = (isFirst ? FIRST_BIT_RATES : SECOND_BIT_RATES)[frame[2]! >> 4];
  // A free bit rate (0) says no size.
  if (version === 1 || layer !== 1 || rate === undefined || !bitRate) return undefined;
  const sampleRate = rate / (isFirst ? 1 : version === 2 ? 2 : 4);
  const samples = isFirst ? 1152 : 576;
  return {
    sampleRate,
    channels: frame[3]! >> 6 === 3 ? 1 : 2,
    samples,
    size: Math.floor((samples * bitRate * 125) / sampleRate) + ((frame[2]! >> 1) & 1),
  };
}

export function mp3Format(sampleRate: number, channels: number): AudioFormat {
  return { kind: 'audio', codec: 'mp3', sampleRate, channels, config: Buffer.alloc(0), codecString: 'mp3' };
}

/** The track as this frame shows it: the same object where nothing changed, or nothing can be read. */
export function mp3TrackOf(track: AudioTrack, frame: Buffer | undefined): AudioTrack {
  const info = frame && parseMp3Header(frame);
  const { format } = track;
  if (!info || (info.sampleRate === format.sampleRate && info.channels === format.channels)) return track;
  return { ...track, format: mp3Format(info.sampleRate, info.channels) };
}
