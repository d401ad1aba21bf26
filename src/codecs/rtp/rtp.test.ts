import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AAC_HBR, AacDepacketizer, AacPacketizer, LatmDepacketizer } from './aac.ts';
import { type CodedFrame, type Depacketizer, FRAME_LIMITS, type Packetizer } from './contract.ts';
import { G711Depacketizer, G711Packetizer } from './g711.ts';
import { H264Depacketizer, H264Packetizer } from './h264.ts';
import { H265Depacketizer, H265Packetizer } from './h265.ts';
import { OpusDepacketizer, OpusPacketizer } from './opus.ts';

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
