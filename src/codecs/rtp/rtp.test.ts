import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { mp3Frame, mpeg4Headers, mpeg4Inter, mpeg4Keyframe } from '../../../test/support/coded-samples.ts';
import { sizedObu } from '../av1.ts';
import { AAC_HBR, AacDepacketizer, AacPacketizer, LatmDepacketizer } from './aac.ts';
import { Ac3Depacketizer, Ac3Packetizer } from './ac3.ts';
import { Av1Depacketizer, Av1Packetizer } from './av1.ts';
import { type CodedFrame, type Depacketizer, FRAME_LIMITS, type Packetizer } from './contract.ts';
import { G711Depacketizer, G711Packetizer } from './g711.ts';
import { H264Depacketizer, H264Packetizer } from './h264.ts';
import { H265Depacketizer, H265Packetizer } from './h265.ts';
import { Mp3Depacketizer, Mp3Packetizer } from './mp3.ts';
import { Mpeg4Depacketizer, Mpeg4Packetizer } from './mpeg4.ts';
import { OpusDepacketizer, OpusPacketizer } from './opus.ts';
import { Vp8Depacketizer, Vp8Packetizer } from './vp8.ts';
import { Vp9Depacketizer, Vp9Packetizer } from './vp9.ts';

const hex = (text: string) => Buffer.from(text, 'hex');

/** Packets of a frame, joined as on the wire. */
function send(packetizer: Packetizer, frame: readonly Buffer[], timestamp: number, max: number) {
  return packetizer.packetize(frame, max).map(({ parts, marker, timestampOffset }) => {
    const payload = Buffer.concat(parts);
    expect(payload.length).toBeLessThanOrEqual(max);
    return { payload, marker, timestamp: (timestamp + timestampOffset) % 2 ** 32, lost: false };
  });
}

/** A NAL unit of a header and a body that does not end in a zero byte. */
const nalOf = (header: readonly number[]) =>
  fc
    .uint8Array({ maxLength: 4000 })
    .map((body) => Buffer.concat([Buffer.from(header), Buffer.from(body), Buffer.from([0x80])]));

/** A unit of AV1 with its size. */
const obuOf = (header: readonly number[]) =>
  fc.uint8Array({ maxLength: 4000 }).map((body) => sizedObu([Buffer.from(header), Buffer.from(body)]));

const frameOf = (minLength: number) =>
  fc.uint8Array({ minLength, maxLength: 9000 }).map((array) => [Buffer.from(array)]);

/** A frame of AC-3 at 48 kHz: frmsizecod gives its size. */
const ac3Frame = fc.integer({ min: 0, max: 37 }).map((sizeCode) => {
  const rates = [32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 448, 512, 576, 640];
  const frame = Buffer.alloc((rates[sizeCode >> 1] ?? 0) * 4, sizeCode + 1);
  hex('0b770000').copy(frame);
  Buffer.from([sizeCode, 0x40, 0x40]).copy(frame, 4);
  return [frame];
});

const codecs: [string, () => Packetizer, () => Depacketizer, fc.Arbitrary<Buffer[]>][] = [
  [
    'H.264',
    () => new H264Packetizer(),
    () => new H264Depacketizer(),
    fc.array(fc.oneof(nalOf([0x67]), nalOf([0x06]), nalOf([0x65]), nalOf([0x41])), {
      minLength: 1,
      maxLength: 12,
    }),
  ],
  [
    'H.265',
    () => new H265Packetizer(),
    () => new H265Depacketizer(),
    fc.array(fc.oneof(nalOf([0x40, 1]), nalOf([0x26, 1]), nalOf([0x02, 1])), { minLength: 1, maxLength: 12 }),
  ],
  [
    'AAC',
    () => new AacPacketizer(),
    () => new AacDepacketizer(AAC_HBR, 1024),
    fc.uint8Array({ minLength: 1, maxLength: 8191 }).map((array) => [Buffer.from(array)]),
  ],
  [
    'AV1',
    () => new Av1Packetizer(),
    () => new Av1Depacketizer(),
    fc.array(fc.oneof(obuOf([0x08]), obuOf([0x30]), obuOf([0x34, 0x20]), obuOf([0x28])), {
      minLength: 1,
      maxLength: 12,
    }),
  ],
  ['VP9', () => new Vp9Packetizer(), () => new Vp9Depacketizer(), frameOf(1)],
  ['VP8', () => new Vp8Packetizer(), () => new Vp8Depacketizer(), frameOf(1)],
  [
    'MPEG-4 part 2',
    () => new Mpeg4Packetizer(),
    () => new Mpeg4Depacketizer(),
    fc
      .uint8Array({ minLength: 1, maxLength: 5000 })
      .map((array) => [Buffer.concat([hex('000001b650'), Buffer.from(array)])]),
  ],
  [
    'MP3',
    () => new Mp3Packetizer(),
    () => new Mp3Depacketizer(),
    fc.constantFrom([mp3Frame], [Buffer.concat([hex('fffbe0c4'), Buffer.alloc(1040, 7)])]),
  ],
  ['AC-3', () => new Ac3Packetizer(), () => new Ac3Depacketizer(), ac3Frame],
  [
    'Opus',
    () => new OpusPacketizer(),
    () => new OpusDepacketizer(),
    fc.uint8Array({ minLength: 1, maxLength: 100 }).map((array) => [Buffer.from(array)]),
  ],
];

describe.each(codecs)('%s over RTP', (_name, packetizer, depacketizer, frame) => {
  it('gives every frame back as it was', () => {
    fc.assert(
      fc.property(
        fc.array(frame, { minLength: 1, maxLength: 4 }),
        fc.integer({ min: 100, max: 1500 }),
        (frames, max) => {
          const receiver = depacketizer();
          const got = frames.flatMap((nals, i) =>
            send(packetizer(), nals, i * 3000, max).flatMap((packet) => receiver.push(packet)),
          );
          expect(got.map((f) => f.timestamp)).toEqual(frames.map((_, i) => i * 3000));
          expect(got.map((f) => Buffer.concat(f.payload))).toEqual(frames.map((nals) => Buffer.concat(nals)));
          expect(got.map((f) => f.payload.length)).toEqual(frames.map((nals) => nals.length));
        },
      ),
      { numRuns: 40 },
    );
  });

  it('never throws, whatever comes', () => {
    const packet = fc.record({
      payload: fc.uint8Array({ maxLength: 60 }).map((array) => Buffer.from(array)),
      marker: fc.boolean(),
      timestamp: fc.integer({ min: 0, max: 3 }),
      lost: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(packet, { maxLength: 30 }), (packets) => {
        const receiver = depacketizer();
        for (const frame of packets.flatMap((p) => receiver.push(p))) {
          expect(frame.payload.length).toBeGreaterThan(0);
          for (const part of frame.payload) expect(part.length).toBeGreaterThan(0);
        }
      }),
      { numRuns: 300 },
    );
  });
});

describe('H.264 and H.265 over RTP', () => {
  const picture = [hex('67640028ac'), hex('68ee3c80'), Buffer.concat([hex('65'), Buffer.alloc(5000, 7)])];

  it('aggregates small neighbours and fragments large ones', () => {
    const packets = send(new H264Packetizer(), picture, 0, 1400);
    expect(packets.map((p) => (p.payload[0] ?? 0) & 0x1f)).toEqual([24, 28, 28, 28, 28]);
    expect(packets.map((p) => p.marker)).toEqual([false, false, false, false, true]);
  });

  it('drops the frame that lost a packet and no other', () => {
    const receiver = new H264Depacketizer();
    const first = send(new H264Packetizer(), picture, 0, 1400);
    const second = send(new H264Packetizer(), picture, 3000, 1400);
    const third = send(new H264Packetizer(), picture, 6000, 1400);
    const holed = second.filter((_, i) => i !== 2).map((p, i) => ({ ...p, lost: i === 2 }));
    const got: CodedFrame[] = [...first, ...holed, ...third].flatMap((p) => receiver.push(p));
    expect(got.map((f) => f.timestamp)).toEqual([0, 6000]);
    expect(receiver.dropped).toBe(1);
  });

  it('drops the frame whose end was lost, and the next one whose beginning may have been', () => {
    const receiver = new H264Depacketizer();
    const frames = [0, 3000, 6000].map((at) => send(new H264Packetizer(), picture, at, 1400));
    const cut = (frames[0] ?? []).slice(0, -1);
    const next = (frames[1] ?? []).map((p, i) => ({ ...p, lost: i === 0 }));
    const got = [...cut, ...next, ...(frames[2] ?? [])].flatMap((p) => receiver.push(p));
    expect(got.map((f) => f.timestamp)).toEqual([6000]);
    expect(receiver.dropped).toBe(2);
  });

  it('ends a frame at the change of timestamp for cameras without marker', () => {
    const receiver = new H264Depacketizer();
    expect(receiver.push({ payload: hex('6588'), marker: false, timestamp: 0, lost: false })).toEqual([]);
    expect(receiver.push({ payload: hex('4188'), marker: false, timestamp: 3000, lost: false })).toEqual([
      { timestamp: 0, payload: [hex('6588')], keyframe: true },
    ]);
  });

  it('removes zero bytes behind NAL units and start codes inside packets', () => {
    const receiver = new H264Depacketizer();
    const [frame] = receiver.push({ payload: hex('65880000'), marker: true, timestamp: 0, lost: false });
    expect(frame?.payload).toEqual([hex('6588')]);
    const stream = hex('00000001674d000000016800000001' + '65aa');
    const [whole] = receiver.push({ payload: stream, marker: true, timestamp: 1, lost: false });
    expect(whole?.payload).toEqual([hex('674d'), hex('68'), hex('65aa')]);
    const joined = hex('674d' + '0000000168' + '0000000165aa');
    const [split] = receiver.push({ payload: joined, marker: true, timestamp: 2, lost: false });
    expect(split?.payload).toEqual([hex('674d'), hex('68'), hex('65aa')]);
  });

  it('leaves access unit delimiters out', () => {
    expect(send(new H264Packetizer(), [hex('09f0'), hex('65')], 0, 1400).map((p) => p.payload)).toEqual([
      hex('65'),
    ]);
    expect(send(new H265Packetizer(), [hex('460150'), hex('2601aa')], 0, 1400).map((p) => p.payload)).toEqual(
      [hex('2601aa')],
    );
  });

  it('gives up a frame that is too large, and keeps nothing of it', () => {
    const receiver = new H264Depacketizer();
    const nal = Buffer.concat([hex('41'), Buffer.alloc(60_000, 1)]);
    const count = Math.ceil(FRAME_LIMITS.bytes / nal.length) + 10;
    for (let i = 0; i < count; i++) receiver.push({ payload: nal, marker: false, timestamp: 0, lost: false });
    expect(receiver.push({ payload: nal, marker: true, timestamp: 0, lost: false })).toEqual([]);
    expect(receiver.dropped).toBe(1);
    expect(receiver.push({ payload: hex('6588'), marker: true, timestamp: 1, lost: false })).toHaveLength(1);
  });
});

describe('AAC over RTP', () => {
  it('takes several frames of one packet apart, a frame duration between them', () => {
    const receiver = new AacDepacketizer(AAC_HBR, 1024);
    const payload = Buffer.concat([hex('0020'), hex('00100018'), hex('aabb'), hex('ccddee')]);
    expect(receiver.push({ payload, marker: true, timestamp: 2 ** 32 - 24, lost: false })).toEqual([
      { timestamp: 2 ** 32 - 24, payload: [hex('aabb')], keyframe: true },
      { timestamp: 1000, payload: [hex('ccddee')], keyframe: true },
    ]);
  });

  it('drops a fragmented frame that lost a piece', () => {
    const receiver = new AacDepacketizer(AAC_HBR, 1024);
    const packets = send(new AacPacketizer(), [Buffer.alloc(3000, 5)], 0, 1000);
    const holed = packets.filter((_, i) => i !== 1).map((p, i) => ({ ...p, lost: i === 1 }));
    expect(holed.flatMap((p) => receiver.push(p))).toEqual([]);
    expect(receiver.dropped).toBeGreaterThan(0);
    const next = send(new AacPacketizer(), [hex('aa')], 1024, 1000);
    expect(next.flatMap((p) => receiver.push(p))).toHaveLength(1);
  });

  it('reads the older MP4A-LATM form', () => {
    const receiver = new LatmDepacketizer(1024);
    const frame = Buffer.alloc(300, 9);
    const payload = Buffer.concat([hex('ff2d'), frame]);
    const [got] = receiver.push({ payload, marker: true, timestamp: 5, lost: false });
    expect(got).toEqual({ timestamp: 5, payload: [frame], keyframe: true });
  });
});

describe('G.711 over RTP', () => {
  it('splits what does not fit between samples and counts on', () => {
    const samples = Buffer.from(Array.from({ length: 1000 }, (_, i) => i & 0xff));
    const packets = send(new G711Packetizer(2), [samples], 160, 301);
    expect(packets.map((p) => [p.payload.length, p.timestamp])).toEqual([
      [300, 160],
      [300, 310],
      [300, 460],
      [100, 610],
    ]);
    const receiver = new G711Depacketizer();
    expect(Buffer.concat(packets.flatMap((p) => receiver.push(p)).flatMap((f) => f.payload))).toEqual(
      samples,
    );
  });
});

describe('AV1 over RTP', () => {
  const header = sizedObu([hex('08'), hex('000000')]);
  /** A shown keyframe: show_existing_frame 0, frame_type 0, show_frame 1. */
  const key = sizedObu([hex('30'), hex('10'), Buffer.alloc(3000, 7)]);
  const take = (receiver: Av1Depacketizer, payload: Buffer, marker = true, lost = false) =>
    receiver.push({ payload, marker, timestamp: 0, lost });

  it('goes without sizes and delimiters, marks the beginning of a sequence, and counts what is together', () => {
    const delimiter = hex('1200');
    const packets = send(new Av1Packetizer(), [delimiter, header, key], 0, 1200);
    const bits = packets.map(({ payload }) => payload[0]);
    // Two elements, the second goes on; then one that comes from before, to the end.
    expect(bits).toEqual([0x40 | 0x20 | 0x08, 0x80 | 0x40 | 0x10, 0x80 | 0x10]);
    expect(packets[0]?.payload.subarray(1, 7)).toEqual(hex('0408000000' + '30'));
    expect(packets.map(({ marker }) => marker)).toEqual([false, false, true]);
    expect(send(new Av1Packetizer(), [key], 0, 1200)[0]?.payload[0]).toBe(0x40 | 0x10);
  });

  it('is read with a length before every element, and with sizes and delimiters left in', () => {
    const receiver = new Av1Depacketizer();
    const payload = Buffer.concat([hex('00' + '021200' + '020800' + '03'), hex('320110')]);
    const [frame] = take(receiver, payload);
    expect(frame?.payload).toEqual([hex('0a0100'), hex('320110')]);
    expect(frame?.keyframe).toBe(true);
  });

  it('loses a temporal unit whose fragments do not fit together, and no other', () => {
    const receiver = new Av1Depacketizer();
    expect(take(receiver, hex('9001'))).toEqual([]);
    expect(take(receiver, hex('5030aa'), false)).toEqual([]);
    expect(take(receiver, hex('1030bb'))).toEqual([]);
    expect(take(receiver, hex('2005aa'))).toEqual([]);
    expect(receiver.dropped).toBe(3);
    expect(take(receiver, hex('1030bb'))).toHaveLength(1);
  });
});

describe('VP9 over RTP', () => {
  /** 640 x 360, profile 0. */
  const keyframe = Buffer.concat([hex('824983420' + '027f0167'.padEnd(9, '0')), Buffer.alloc(2000, 1)]);
  const take = (receiver: Vp9Depacketizer, payload: string, marker = false, timestamp = 0) =>
    receiver.push({ payload: hex(payload), marker, timestamp, lost: false });

  it('is sent in non-flexible mode: picture id, begin and end, the size with keyframes', () => {
    const packetizer = new Vp9Packetizer();
    const packets = send(packetizer, [keyframe], 0, 1200);
    expect(packets[0]?.payload.subarray(0, 8)).toEqual(hex('8a8000' + '10' + '02800168'));
    expect(packets[1]?.payload.subarray(0, 3)).toEqual(hex('848000'));
    expect(send(packetizer, [hex('86aabb')], 3600, 1200)[0]?.payload).toEqual(hex('cc8001' + '86aabb'));
  });

  it.each([
    ['nothing but begin and end', '0c'],
    ['a short picture id', '8c05'],
    ['layers in non-flexible mode', '2c' + '00' + '01'],
    ['layers in flexible mode', 'bc' + '8001' + '00'],
    ['references in flexible mode', 'dc' + '8001' + '0302'],
    [
      'a structure with sizes and a group of two pictures',
      '8e05' + '18' + '02800168' + '02' + '04' + '01' + '00',
    ],
  ])('is read with %s', (_, descriptor) => {
    const receiver = new Vp9Depacketizer();
    expect(take(receiver, `${descriptor}86aabb`, true)).toMatchObject([{ payload: [hex('86aabb')] }]);
  });

  it('takes of several spatial layers the lowest', () => {
    const receiver = new Vp9Depacketizer();
    expect(take(receiver, '2c' + '00' + '01' + '86aa')).toEqual([]);
    expect(take(receiver, '2c' + '02' + '01' + '86bb')).toEqual([]);
    expect(take(receiver, '2c' + '04' + '01' + '86cc', true)).toMatchObject([{ payload: [hex('86aa')] }]);
  });

  it('drops a frame whose beginning is missing, and one that begins twice', () => {
    const receiver = new Vp9Depacketizer();
    expect(take(receiver, '0486aa', true, 0)).toEqual([]);
    take(receiver, '0886aa', false, 1);
    expect(take(receiver, '0c86aa', true, 1)).toEqual([]);
    expect(receiver.dropped).toBe(2);
    expect(take(receiver, '0c86aa', true, 2)).toHaveLength(1);
  });
});

describe('VP8 over RTP', () => {
  it('is sent with a picture id, and marks the beginning', () => {
    const packetizer = new Vp8Packetizer();
    const packets = send(packetizer, [Buffer.alloc(1500, 1)], 0, 1000);
    expect(packets.map(({ payload }) => payload.subarray(0, 4))).toEqual([hex('90808000'), hex('80808000')]);
    expect(send(packetizer, [hex('01')], 3600, 1000)[0]?.payload).toEqual(hex('90808001' + '01'));
  });

  it.each([
    ['no extension', '10'],
    ['a short picture id', '908005'],
    ['everything there is', '90f0' + '8001' + '05' + '20'],
  ])('is read with %s', (_, descriptor) => {
    const payload = hex(`${descriptor}01aabb`);
    const [frame] = new Vp8Depacketizer().push({ payload, marker: true, timestamp: 0, lost: false });
    expect(frame?.payload).toEqual([hex('01aabb')]);
  });

  it('takes partitions that begin in packets of their own for parts of the frame', () => {
    const receiver = new Vp8Depacketizer();
    const packet = (payload: string, marker: boolean) =>
      receiver.push({ payload: hex(payload), marker, timestamp: 0, lost: false });
    expect(packet('1001aa', false)).toEqual([]);
    expect(packet('11bb', true)).toMatchObject([{ payload: [hex('01aabb')] }]);
    expect(packet('0001', true)).toEqual([]);
    expect(receiver.dropped).toBe(1);
  });
});

describe('MPEG-4 and MP3 over RTP', () => {
  it('know a keyframe, and drop a picture whose beginning is lost', () => {
    const keyframe = Buffer.concat([mpeg4Headers, mpeg4Keyframe]);
    const receiver = new Mpeg4Depacketizer();
    const [first, ...rest] = send(new Mpeg4Packetizer(), [keyframe], 0, 60);
    expect([first!, ...rest].flatMap((packet) => receiver.push(packet))).toMatchObject([{ keyframe: true }]);
    const [, ...headless] = send(new Mpeg4Packetizer(), [keyframe], 3600, 60);
    expect(headless.flatMap((packet) => receiver.push(packet))).toEqual([]);
    expect(receiver.dropped).toBe(1);
    const inter = send(new Mpeg4Packetizer(), [mpeg4Inter], 7200, 1000);
    expect(inter.flatMap((packet) => receiver.push(packet))).toMatchObject([{ keyframe: false }]);
  });

  it('takes several MP3 frames of one packet apart, at 90 kHz between them', () => {
    const payload = Buffer.concat([hex('00000000'), mp3Frame, mp3Frame]);
    const got = new Mp3Depacketizer().push({ payload, marker: true, timestamp: 2 ** 32 - 51, lost: false });
    expect(got.map(({ timestamp }) => timestamp)).toEqual([2 ** 32 - 51, 2300]);
  });

  it('drops an MP3 frame that lost a fragment, and goes on with the next', () => {
    for (const missing of [0, 1, 2]) {
      const receiver = new Mp3Depacketizer();
      const packets = send(new Mp3Packetizer(), [mp3Frame], 0, 48);
      expect(packets).toHaveLength(3);
      const holed = packets.filter((_, i) => i !== missing).map((p, i) => ({ ...p, lost: i === missing }));
      expect(holed.flatMap((p) => receiver.push(p))).toEqual([]);
      const next = send(new Mp3Packetizer(), [mp3Frame], 2351, 1000);
      expect(next.flatMap((p) => receiver.push(p))).toHaveLength(1);
    }
  });
});

describe('AC-3 over RTP', () => {
  const frame = Buffer.alloc(128, 9);
  hex('0b770000' + '004040').copy(frame);

  it('takes several frames of one packet apart, 1,536 samples between them', () => {
    const payload = Buffer.concat([hex('0002'), frame, frame]);
    const got = new Ac3Depacketizer().push({ payload, marker: true, timestamp: 2 ** 32 - 36, lost: false });
    expect(got.map(({ timestamp }) => timestamp)).toEqual([2 ** 32 - 36, 1500]);
  });

  it('says whether the first fragment can be decoded alone', () => {
    const types = (max: number) =>
      send(new Ac3Packetizer(), [frame], 0, max).map(({ payload }) => [payload[0], payload[1]]);
    expect(types(130)).toEqual([[0, 1]]);
    expect(types(100)).toEqual([
      [1, 2],
      [3, 2],
    ]);
    expect(types(52)).toEqual([
      [2, 3],
      [3, 3],
      [3, 3],
    ]);
  });

  it('drops a fragmented frame that lost a piece, and counts it once', () => {
    for (const missing of [0, 1, 2]) {
      const receiver = new Ac3Depacketizer();
      const packets = send(new Ac3Packetizer(), [frame], 0, 52);
      const holed = packets.filter((_, i) => i !== missing).map((p, i) => ({ ...p, lost: i === missing }));
      expect(holed.flatMap((p) => receiver.push(p))).toEqual([]);
      const next = send(new Ac3Packetizer(), [frame], 1536, 1000).map((p) => ({ ...p, lost: missing === 2 }));
      expect(next.flatMap((p) => receiver.push(p))).toHaveLength(1);
      expect(receiver.dropped).toBe(1);
    }
  });
});
