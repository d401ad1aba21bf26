import { expect, test } from 'vitest';
import { av1Configuration } from '#codecs/av1.ts';
import { readAvcc, readHvcc, splitLengthPrefixed } from '#codecs/configuration-record.ts';
import type { VideoTrack } from '#media/track.ts';
import {
  ac3Frame,
  ac3Track,
  av1Keyframe,
  av1Track,
  vp8Keyframe,
  vp8Track,
  vp9Keyframe,
  vp9Track,
} from '../../test/support/coded-samples.ts';
import type { InputStream } from './av/input.ts';
import { adtsConfig, packetReader, withoutAdts } from './source-format.ts';

const sps = Buffer.from('67640016acd940a02ff970110000030001000003003c0f162d96', 'hex');
const pps = Buffer.from('68ebe3cb22c0', 'hex');
const avcc = Buffer.concat([
  Buffer.from([1, 0x64, 0, 0x16, 0xff, 0xe1, 0, sps.length]),
  sps,
  Buffer.from([1, 0, pps.length]),
  pps,
]);

function stream(more: Partial<InputStream>): InputStream {
  return {
    index: 0,
    kind: 'video',
    codec: 'h264',
    codecName: 'h264',
    extradata: avcc,
    timeBase: { num: 1n, den: 12_800n },
    width: 640,
    height: 360,
    fps: 25,
    sampleRate: 0,
    channels: 0,
    bitRate: 0,
    ...more,
  };
}

/** NAL units behind 4-byte lengths. */
function prefixed(...nals: Buffer[]): Buffer {
  return Buffer.concat(nals.flatMap((nal) => [Buffer.from([0, 0, 0, nal.length]), nal]));
}

test('avcC gives its parameter sets and the size of the lengths', () => {
  expect(readAvcc(avcc)).toEqual({ lengthSize: 4, parameterSets: [sps, pps] });
});

test('a record that is cut off gives what is there', () => {
  for (let length = 0; length < avcc.length; length++) readAvcc(avcc.subarray(0, length));
  expect(readAvcc(avcc.subarray(0, 8 + sps.length)).parameterSets).toEqual([sps]);
});

test('hvcC gives its parameter sets in order', () => {
  const head = Buffer.alloc(23);
  head[0] = 1;
  head[21] = 3;
  head[22] = 2;
  const array = (type: number, nal: Buffer) => Buffer.concat([Buffer.from([type, 0, 1, 0, nal.length]), nal]);
  const record = Buffer.concat([head, array(32, Buffer.from([1, 2])), array(33, Buffer.from([3]))]);
  expect(readHvcc(record)).toEqual({ lengthSize: 4, parameterSets: [Buffer.from([1, 2]), Buffer.from([3])] });
});

test('a broken length ends the splitting', () => {
  const data = Buffer.concat([prefixed(pps), Buffer.from([0, 0, 255, 255, 1])]);
  expect(splitLengthPrefixed(data, 4)).toEqual([pps]);
});

test('a keyframe gets the parameter sets of the container in front, delimiters and filler go', () => {
  const reader = packetReader(stream({}), 0)!;
  const idr = Buffer.from([0x65, 1]);
  const [piece] = reader.read(prefixed(Buffer.from([9, 0xf0]), idr, Buffer.from([12, 0xff])), true);
  expect(piece?.payload).toEqual([sps, pps, idr]);
});

test('new parameter sets in mid-stream make a new track with the same id', () => {
  const reader = packetReader(stream({}), 3)!;
  const before = reader.track;
  const other = Buffer.from(sps);
  other[3] = 0x1f;
  const [piece] = reader.read(prefixed(other, pps, Buffer.from([0x65, 1])), true);
  expect(piece?.track).not.toBe(before);
  expect(piece?.track).toMatchObject({ id: 3, format: { codecString: 'avc1.64001f' } });
  expect(reader.read(prefixed(Buffer.from([0x41, 1])), false)[0]?.track).toBe(piece?.track);
});

test.each([
  ['av1', av1Track, Buffer.concat([Buffer.from([0x12, 0]), ...av1Keyframe]), av1Keyframe],
  ['vp9', vp9Track, vp9Keyframe, [vp9Keyframe]],
  ['vp8', vp8Track, vp8Keyframe, [vp8Keyframe]],
] as const)(
  'packets of %s say how it is coded, also where the container does not',
  (codec, track, packet, payload) => {
    const reader = packetReader(stream({ codec, extradata: undefined }), 5)!;
    const [piece] = reader.read(packet, true);
    expect(piece?.payload).toEqual(payload);
    expect(piece?.track).toEqual({ id: 5, clockRate: 90_000, format: track.format });
    expect(reader.track).toBe(piece?.track);
  },
);

test('AV1 of a container gets its sequence header from av1C, and keyframes get it in front', () => {
  const extradata = av1Configuration((av1Track as VideoTrack).format);
  const reader = packetReader(stream({ codec: 'av1', extradata }), 0)!;
  expect(reader.track.format).toEqual(av1Track.format);
  expect(reader.read(av1Keyframe[1]!, true)[0]?.payload).toEqual(av1Keyframe);
});

test('AC-3 is a frame of 1,536 samples a packet', () => {
  const audio = stream({
    kind: 'audio',
    codec: 'ac3',
    sampleRate: 48_000,
    channels: 2,
    extradata: undefined,
  });
  const [piece] = packetReader(audio, 2)!.read(ac3Frame, true);
  expect(piece).toMatchObject({ duration: 1536, payload: [ac3Frame], track: ac3Track });
});

test('G.711 is cut into pieces of 20 ms, each at its time', () => {
  const audio = stream({ kind: 'audio', codec: 'pcma', sampleRate: 8000, channels: 1 });
  const pieces = packetReader(audio, 0)!.read(Buffer.alloc(400), true);
  expect(pieces.map(({ offset, duration }) => [offset, duration])).toEqual([
    [0, 160],
    [160, 160],
    [320, 80],
  ]);
});

test('an ADTS header goes, with and without its checksum, and AAC without one stays', () => {
  const frame = Buffer.from([0x21, 0x10, 0x04]);
  expect(withoutAdts(Buffer.concat([Buffer.from('fff14c40015ffc', 'hex'), frame]))).toEqual(frame);
  expect(withoutAdts(Buffer.concat([Buffer.from('fff04c40015ffcabcd', 'hex'), frame]))).toEqual(frame);
  expect(withoutAdts(frame)).toEqual(frame);
});

test('AAC without a configuration takes its clock from the ADTS header: with SBR the input tells twice the rate', () => {
  // AAC-LC, 24 kHz, stereo; what is inside doubles the rate.
  const header = Buffer.from('fff15880015ffc', 'hex');
  expect(adtsConfig(header)?.toString('hex')).toBe('1310');
  const audio = stream({
    kind: 'audio',
    codec: 'aac',
    extradata: undefined,
    sampleRate: 48_000,
    channels: 2,
  });
  const reader = packetReader(audio, 1)!;
  const [piece] = reader.read(Buffer.concat([header, Buffer.from([0x21, 0x10])]), true);
  expect(piece).toMatchObject({ duration: 1024, track: { id: 1, clockRate: 24_000 } });
  expect(reader.track).toBe(piece?.track);
});

test('a codec that cannot be streamed has no reader', () => {
  expect(packetReader(stream({ codec: undefined, codecName: 'vorbis' }), 0)).toBeUndefined();
});
