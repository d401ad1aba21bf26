import { ac3Format, parseAc3Frame } from '../../src/codecs/ac3.ts';
import { av1Format } from '../../src/codecs/av1.ts';
import { parseVp8Frame, vp8Format } from '../../src/codecs/vp8.ts';
import { parseVp9Frame, vp9Format } from '../../src/codecs/vp9.ts';
import type { Track } from '../../src/media/track.ts';

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

const video = { id: 1, clockRate: 90_000 };
const { width, height } = parseVp8Frame(vp8Keyframe)!;
export const av1Track: Track = { ...video, format: av1Format(av1Keyframe[0]) };
export const vp9Track: Track = { ...video, format: vp9Format(parseVp9Frame(vp9Keyframe)) };
export const vp8Track: Track = { ...video, format: vp8Format(width, height) };
export const ac3Track: Track & { readonly format: ReturnType<typeof ac3Format> } = {
  ...{ id: 2, clockRate: 48_000 },
  format: ac3Format(parseAc3Frame(ac3Frame)!),
};
