import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { aacFormat } from '#codecs/aac.ts';
import { ac3Format } from '#codecs/ac3.ts';
import { h264Format } from '#codecs/h264.ts';
import type { AccessUnit } from '#media/access-unit.ts';
import { StreamClock } from '#media/clock-mapping.ts';
import type { Track } from '#media/track.ts';
import { ac3Frame, ac3Track } from '../../../test/support/coded-samples.ts';
import { buildSenderReport, parseRtcp } from '../rtcp/packet.ts';
import { buildSdp, payloadTypeOf } from '../sdp/build.ts';
import { parseSdp } from '../sdp/sdp.ts';
import { buildRtp, isRtcp, parseRtp } from './packet.ts';
import { RtpTimeline } from './rtp-timeline.ts';
import { RtpTrackReceiver } from './track-receiver.ts';
import { RtpTrackSender } from './track-sender.ts';

const hex = (text: string) => Buffer.from(text, 'hex');
const NOW = 1_790_000_000_000;
const SPS = hex('6764001eacd940a02ff97ff000300041000003000100000300320f162d96');
const PPS = hex('68ebe3cb22c0');
const VIDEO: Track = { id: 0, clockRate: 90_000, format: h264Format([SPS, PPS]) };
const AUDIO: Track = { id: 1, clockRate: 48_000, format: aacFormat(hex('1190')) };

function unit(track: Track, pts: number, payload: Buffer[], ntp = NOW): AccessUnit {
  return { track, pts, dts: pts, keyframe: true, ntp, payload };
}

function sender(track: Track, sequence = 65_530) {
  return new RtpTrackSender({
    track,
    payloadType: payloadTypeOf(track) ?? 96,
    ssrc: 0xdead_beef,
    sequence,
    maxPacketSize: 1400,
  });
}

function receiver(track: Track, clock = new StreamClock()) {
  const [media] = parseSdp(buildSdp([track], { sessionName: 'test' })).medias;
  if (!media) throw new Error('no media');
  const units: AccessUnit[] = [];
  const tracks: Track[] = [];
  const receiver = new RtpTrackReceiver({
    media,
    track,
    clock,
    onUnit: (u) => units.push(u),
    onTrack: (t) => tracks.push(t),
  });
  return { receiver, units, tracks };
}

/** The packets of a batch with headroom 4, as a door that frames them would take them apart. */
function packetsOf(batch: { bytes: Buffer; sizes: readonly number[] }, headroom = 0): Buffer[] {
  let at = 0;
  return batch.sizes.map((size) => {
    const packet = batch.bytes.subarray(at + headroom, at + headroom + size);
    at += headroom + size;
    return packet;
  });
}

const picture = (size: number) => [SPS, PPS, Buffer.concat([hex('6588'), Buffer.alloc(size, 3)])];

describe('RTP packets', () => {
  it('are read past contributing sources, extension and padding', () => {
    const header = '92e0' + '0001' + '00000002' + '00000003' + '0000000a' + '0000000b';
    const packet = hex(`b2${header.slice(2)}` + 'bede0001' + '11223344' + 'aabb' + '0002');
    expect(parseRtp(packet)).toEqual({
      payloadType: 96,
      marker: true,
      sequence: 1,
      timestamp: 2,
      ssrc: 3,
      payload: hex('aabb'),
    });
  });

  it('are told from RTCP and from noise', () => {
    expect(isRtcp(hex('80c8'))).toBe(true);
    expect(isRtcp(hex('8060'))).toBe(false);
    expect(isRtcp(hex('80e0'))).toBe(false);
    fc.assert(fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => void parseRtp(Buffer.from(bytes))));
    expect(parseRtp(hex('00'.repeat(20)))).toBeUndefined();
  });

  it('are read as they were built', () => {
    const packet = {
      payloadType: 97,
      marker: false,
      sequence: 65_535,
      timestamp: 2 ** 32 - 1,
      ssrc: 1,
      payload: hex('01'),
    };
    expect(parseRtp(buildRtp(packet))).toEqual(packet);
  });
});

describe('RtpTrackSender', () => {
  it('puts the packets of a unit into one buffer with room for a framing before each', () => {
    const batch = sender(VIDEO).packetize(unit(VIDEO, 2 ** 32 + 90, picture(5000)), 4);
    expect(batch.bytes.length).toBe(batch.sizes.reduce((sum, size) => sum + size + 4, 0));
    const packets = packetsOf(batch, 4).map((bytes) => parseRtp(bytes));
    expect(packets.map((p) => p?.sequence)).toEqual([65_530, 65_531, 65_532, 65_533, 65_534]);
    expect(packets.map((p) => p?.timestamp)).toEqual([90, 90, 90, 90, 90]);
    expect(packets.map((p) => p?.marker)).toEqual([false, false, false, false, true]);
    expect(Math.max(...batch.sizes)).toBeLessThanOrEqual(1400);
  });

  it('wraps sequence numbers', () => {
    const out = sender(AUDIO, 65_535);
    out.packetize(unit(AUDIO, 0, [hex('aa')]));
    expect(out.sequence).toBe(0);
  });

  it('ties RTP time to the capture clock of a unit, before and after it was sent', () => {
    const out = sender(VIDEO);
    const first = unit(VIDEO, 90_000 + 2 ** 32, [hex('65')], NOW + 0.25);
    expect(out.senderReport()).toBeUndefined();
    const before = parseRtcp(out.senderReport(first) ?? hex(''))[0];
    expect(before).toMatchObject({
      ssrc: 0xdead_beef,
      rtpTimestamp: 90_000,
      ntp: expect.closeTo(NOW + 0.25, 3),
      packets: 0,
    });
    out.packetize(first);
    expect(parseRtcp(out.senderReport() ?? hex(''))[0]).toMatchObject({
      rtpTimestamp: 90_000,
      packets: 1,
      bytes: 1,
    });
  });

  it('refuses a track without an RTP payload format', () => {
    expect(() => sender({ id: 2, clockRate: 90_000, format: { kind: 'data', codec: 'results' } })).toThrow(
      RangeError,
    );
  });
});

describe('RtpTrackReceiver', () => {
  it('gives back the units that a sender took, with the numbers of their source', () => {
    const out = sender(VIDEO);
    const { receiver: rx, units, tracks } = receiver(VIDEO);
    const start = 3_000_000_000;
    for (let i = 0; i < 5; i++) {
      for (const packet of packetsOf(out.packetize(unit(VIDEO, start + i * 3600, picture(3000)))))
        rx.receiveRtp(packet, NOW + i * 40);
    }
    expect(units.map((u) => u.pts)).toEqual([0, 1, 2, 3, 4].map((i) => start + i * 3600));
    expect(units.map((u) => u.ntp)).toEqual([0, 1, 2, 3, 4].map((i) => NOW + i * 40));
    expect(units[0]?.payload).toEqual(picture(3000));
    expect(units.every((u) => u.keyframe && u.dts <= u.pts)).toBe(true);
    expect(tracks).toEqual([]);
    expect(rx.ssrc).toBe(0xdead_beef);
    expect(rx.counters).toMatchObject({ packets: 20, lost: 0, discarded: 0 });
  });

  it('learns from the frames of AC-3 how they are coded, before the first of them is given out', () => {
    const described: Track = { ...ac3Track, format: ac3Format({ sampleRate: 48_000, channels: 6 }) };
    const { receiver: rx, units, tracks } = receiver(described);
    const out = sender(described);
    const times = [3_000_000_000, 3_000_001_536, 3_000_003_072];
    for (const pts of times) {
      for (const packet of packetsOf(out.packetize(unit(described, pts, [ac3Frame]))))
        rx.receiveRtp(packet, NOW);
    }
    expect(tracks).toEqual([{ ...ac3Track, format: ac3Track.format }]);
    expect(units.map(({ pts, track }) => [pts, track])).toEqual(times.map((pts) => [pts, tracks[0]]));
    expect(units[0]?.payload).toEqual([ac3Frame]);
  });

  it('goes over the wrap of the timestamps with B-frames around it', () => {
    const { receiver: rx, units } = receiver(VIDEO);
    const out = sender(VIDEO);
    const start = 2 ** 32 - 9000;
    const order = [0, 4, 2, 1, 3, 8, 6, 5, 7].map((n) => start + n * 3600);
    for (const pts of order)
      for (const packet of packetsOf(out.packetize(unit(VIDEO, pts, [hex('4188')]))))
        rx.receiveRtp(packet, NOW);
    expect(units.map((u) => u.pts)).toEqual(order);
    units.forEach((u, i) => {
      expect(u.dts).toBeLessThanOrEqual(u.pts);
      if (i > 0) expect(u.dts).toBeGreaterThan(units[i - 1]?.dts ?? 0);
    });
  });

  it('never goes below zero when the source starts at 0 or shortly before the wrap', () => {
    const { receiver: rx, units } = receiver(VIDEO);
    const out = sender(VIDEO);
    for (const pts of [0, 7200, 3600])
      for (const packet of packetsOf(out.packetize(unit(VIDEO, pts, [hex('6588')]))))
        rx.receiveRtp(packet, NOW);
    expect(units.map((u) => u.pts % 2 ** 32)).toEqual([0, 7200, 3600]);
    expect(units.every((u) => u.dts > 0)).toBe(true);
  });

  it('counts gaps and leaves out late and doubled packets', () => {
    const { receiver: rx, units } = receiver(AUDIO);
    const out = sender(AUDIO);
    const packets = [0, 1, 2, 3, 4].flatMap((i) =>
      packetsOf(out.packetize(unit(AUDIO, i * 1024, [hex('aabb')]))),
    );
    for (const i of [0, 1, 1, 4, 3]) rx.receiveRtp(packets[i] ?? hex(''), NOW);
    expect(units.map((u) => u.pts % 2 ** 32)).toEqual([0, 1024, 4096]);
    expect(rx.counters).toMatchObject({ packets: 5, lost: 2, discarded: 2 });
    rx.receiveRtp(hex('00'), NOW);
    expect(rx.counters.discarded).toBe(3);
  });

  it('uses a sender report that came before the first packet at once', () => {
    const clock = new StreamClock();
    const { receiver: rx, units } = receiver(AUDIO, clock);
    const out = sender(AUDIO);
    const report = {
      ssrc: 0xdead_beef,
      ntp: NOW - 5000,
      rtpTimestamp: 2 ** 32 - 48_000,
      packets: 0,
      bytes: 0,
      cname: 'x',
    };
    rx.receiveRtcp(buildSenderReport(report), NOW);
    for (const packet of packetsOf(out.packetize(unit(AUDIO, 0, [hex('aa')]))))
      rx.receiveRtp(packet, NOW + 1);
    expect(units[0]?.ntp).toBeCloseTo(NOW - 4000, 3);
    expect(clock.source).toBe('sender-report');
  });

  it('keeps tracks in step by their reports, whenever their packets arrive', () => {
    const clock = new StreamClock();
    const video = receiver(VIDEO, clock);
    const audio = receiver(AUDIO, clock);
    const report = { ssrc: 1, ntp: NOW, packets: 0, bytes: 0, cname: 'x' };
    video.receiver.receiveRtcp(buildSenderReport({ ...report, rtpTimestamp: 1_000_000_000 }), NOW);
    audio.receiver.receiveRtcp(buildSenderReport({ ...report, rtpTimestamp: 77_000_000 }), NOW + 60);
    const [v] = packetsOf(sender(VIDEO).packetize(unit(VIDEO, 1_000_090_000, [hex('6588')])));
    const [a] = packetsOf(sender(AUDIO).packetize(unit(AUDIO, 77_048_000, [hex('aa')])));
    video.receiver.receiveRtp(v ?? hex(''), NOW + 1010);
    audio.receiver.receiveRtp(a ?? hex(''), NOW + 1240);
    expect(video.units[0]?.ntp).toBeCloseTo(NOW + 1000, 3);
    expect(audio.units[0]?.ntp).toBeCloseTo(NOW + 1000, 3);
  });

  it('tells of a new format before the unit that has it', () => {
    const { receiver: rx, units, tracks } = receiver({ ...VIDEO, format: h264Format([]) });
    const out = sender(VIDEO);
    for (const packet of packetsOf(out.packetize(unit(VIDEO, 5_000_000, picture(10)))))
      rx.receiveRtp(packet, NOW);
    expect(tracks).toHaveLength(1);
    expect(tracks[0]).toMatchObject({ format: { width: 640, codecString: 'avc1.64001e' } });
    expect(units[0]?.track).toBe(tracks[0]);
    expect(rx.track).toBe(tracks[0]);
  });

  it('goes on where it was when the source begins anew with earlier timestamps', () => {
    const { receiver: rx, units } = receiver(AUDIO);
    const first = sender(AUDIO);
    const second = sender(AUDIO, 100);
    const at = 100_000_000;
    for (const packet of packetsOf(first.packetize(unit(AUDIO, at, [hex('aa')])))) rx.receiveRtp(packet, NOW);
    for (const packet of packetsOf(second.packetize(unit(AUDIO, 1000, [hex('aa')]))))
      rx.receiveRtp(packet, NOW + 1000);
    for (const packet of packetsOf(second.packetize(unit(AUDIO, 2024, [hex('aa')]))))
      rx.receiveRtp(packet, NOW + 1021);
    expect(units.map((u) => u.pts)).toEqual([at, at + 48_000, at + 49_024]);
  });

  it('never throws, whatever comes', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ minLength: 8, maxLength: 60 }), { maxLength: 20 }), (packets) => {
        const { receiver: rx } = receiver(VIDEO);
        for (const tail of packets) {
          rx.receiveRtp(Buffer.concat([hex('8060'), Buffer.from(tail)]), NOW);
          rx.receiveRtcp(Buffer.concat([hex('80c80006'), Buffer.from(tail)]), NOW);
        }
        expect(rx.counters.packets + rx.counters.discarded).toBeGreaterThanOrEqual(packets.length);
      }),
      { numRuns: 200 },
    );
  });
});

describe('RtpTimeline', () => {
  it('takes B-frames of a slow stream for what they are, and a step back of seconds for a new beginning', () => {
    const timeline = new RtpTimeline(90_000);
    // Two pictures a second, in pyramids of four.
    const order = [0, 4, 2, 1, 3, 8, 6, 5, 7].map((n) => 50_000_000 + n * 45_000);
    order.forEach((stamp, i) => {
      expect(timeline.unwrap(stamp, NOW + i * 500)).toBe(stamp);
    });
    const end = 50_000_000 + 8 * 45_000;
    // The latest picture came after 2.5 s.
    expect(timeline.unwrap(end - 5 * 90_000, NOW + 4500)).toBe(end + 2 * 90_000);
  });

  it('unwraps for ever and relates reports from both sides', () => {
    const timeline = new RtpTimeline(90_000);
    expect(timeline.relate(5)).toBeUndefined();
    let expected = timeline.unwrap(2 ** 32 - 1_000_000, NOW);
    const origin = expected;
    for (let i = 1; i <= 10_000; i++) {
      expected = origin + i * 1_000_000;
      expect(timeline.unwrap(expected % 2 ** 32, NOW)).toBe(expected);
    }
    expect(timeline.relate((expected + 500) % 2 ** 32)).toBe(expected + 500);
    expect(timeline.relate((expected - 500) % 2 ** 32)).toBe(expected - 500);
  });
});
