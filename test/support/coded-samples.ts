import { ac3Format, parseAc3Frame } from '../../src/codecs/ac3.ts';
import { av1Format } from '../../src/codecs/av1.ts';
import { mp3Format } from '../../src/codecs/mp3.ts';
import { mpeg4Format } from '../../src/codecs/mpeg4.ts';
import { parseVp8Frame, vp8Format } from '../../src/codecs/vp8.ts';
import { parseVp9Frame, vp9Format } from '../../src/codecs/vp9.ts';
import type { AudioTrack, Track } from '../../src/media/track.ts';

/** Real access units, as small as encoders make them: two grey pictures of 64 × 64, and a frame of silence. */

const hex = (text: string) => Buffer.from(text, 'hex');

/** From libaom: sequence header and frame. */
export const av1Keyframe = [hex('0a0a00000002afff9b5f2008'), hex('321010009000082082200000c1b4d0c14df8')];
export const av1Inter = [hex('321230038080fdf806c000596596281042009530')];
/** A sequence header of ten bits in BT.2020 with the transfer function PQ. */
export const av1TenBits = hex('0a0d00000002afff9b5f2a12201208');
/** From libvpx. */
export const vp9Keyframe = hex('824983420003f003f60638241c184a00002040006b38f7a69b004e0920');
export const vp9Inter = hex('860040929c48500000037000005470');
export const vp8Keyframe = hex('f002009d012a4000400000470885858899848802020006703c42600ab220f73000fec3e000');
export const vp8Inter = hex('3102000510ac0018001cd7f40c0000734f7dfb98ede300');
/** Stereo at 48 kHz, 32 kbit/s. */
export const ac3Frame = hex(
  '0b773f11004043e106f00108080821010104571f3e7cf9f3e7cf9f3e7cfbfe757cf9f3e7cf9f3e7cf8ff9d5f3e7cf9f3' +
    'e7cf9f3e32fede4c99200000f1e35ad680035ac3000000078f1ad6b4001ad6180000003c78d6b5a000d6b0c0000001e3' +
    'c6b5ad0006b5860000000f1e35ad680035ac3000000078f1ad6b4001ad60e48e',
);

/** From FFmpeg: headers, a keyframe without them, and the picture behind it. */
export const mpeg4Headers = hex('000001b001000001b58913000001000000012000c48d8800cd0204081443');
export const mpeg4Keyframe = hex(
  '000001b3001007000001b6106051cb6fe36dbf8db6fe36dbf70000a091cb6fe36dbf8db6fe36dbf8db6fe36dbf8db6fe' +
    '36dbf70000e091cb6fe36dbf8db6fe36dbf7',
);
export const mpeg4Inter = hex('000001b650f023ef0000a09fef0000e09e');
/** MP3 of 44.1 kHz, mono, 32 kbit/s. */
export const mp3Frame = Buffer.concat([hex('fffb10c4'), Buffer.alloc(100, 0x55)]);

const video = { id: 1, clockRate: 90_000 };
const { width, height } = parseVp8Frame(vp8Keyframe)!;
export const av1Track: Track = { ...video, format: av1Format(av1Keyframe[0]) };
export const vp9Track: Track = { ...video, format: vp9Format(parseVp9Frame(vp9Keyframe)) };
export const vp8Track: Track = { ...video, format: vp8Format(width, height) };
export const ac3Track: Track & { readonly format: ReturnType<typeof ac3Format> } = {
  ...{ id: 2, clockRate: 48_000 },
  format: ac3Format(parseAc3Frame(ac3Frame)!),
};
export const mpeg4Track: Track = { ...video, format: mpeg4Format(mpeg4Headers) };
export const mp3Track: AudioTrack = { id: 2, clockRate: 44_100, format: mp3Format(44_100, 1) };
