import type { AudioFormat } from '#media/track.ts';

/** The format of an Opus track: always on a clock of 48 kHz (RFC 7587). */
export function opusFormat(channels: number): AudioFormat {
  return {
    kind: 'audio',
    codec: 'opus',
    sampleRate: 48_000,
    channels,
    config: Buffer.alloc(0),
    codecString: 'opus',
  };
}

/** Samples at 48 kHz in an Opus packet, from its TOC byte (RFC 6716 section 3.1); 0 for an empty or broken packet. */
export function opusPacketDuration(packet: Uint8Array): number {
  const toc = packet[0];
  if (toc === undefined) return 0;
  const configuration = toc >> 3;
  let samples: number;
  if (configuration < 12) samples = [480, 960, 1920, 2880][configuration & 3] ?? 0;
  else if (configuration < 16) samples = configuration & 1 ? 960 : 480;
  else samples = 120 << (configuration & 3);
  const code = toc & 3;
  const frames = code === 0 ? 1 : code < 3 ? 2 : (packet[1] ?? 0) & 0x3f;
  const total = samples * frames;
  return total <= 5760 ? total : 0;
}

/** Body of the `dOps` box (Encapsulation of Opus in ISO BMFF, section 4.3.2), for mono and stereo. */
export function opusConfiguration(format: AudioFormat): Buffer {
  const body = Buffer.alloc(11);
  body[1] = format.channels;
  // 80 ms is what a decoder needs to converge (RFC 7845 section 4.2); a live stream has no priming to cut off.
  body.writeUInt16BE(0, 2);
  body.writeUInt32BE(48_000, 4);
  return body;
}

/** The identification header (RFC 7845 section 5.1), which Enhanced RTMP, Matroska and FFmpeg take as its configuration. */
export function opusHead(format: AudioFormat): Buffer {
  const head = Buffer.alloc(19);
  head.write('OpusHead', 'latin1');
  head[8] = 1;
  head[9] = format.channels;
  head.writeUInt32LE(48_000, 12);
  return head;
}
