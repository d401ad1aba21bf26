import { describe, expect, it } from 'vitest';
import type { AccessUnit } from '#media/access-unit.ts';
import { VirtualClock } from '#util/clock.ts';
import { h264Track, picture } from '../../../test/support/fmp4-units.ts';
import { buildSenderReport, parseRtcp, type RtcpPacket } from '../rtcp/packet.ts';
import { buildRtp } from '../rtp/packet.ts';
import { RtpTrackSender } from '../rtp/track-sender.ts';
import { parseWebRtcOffer } from '../sdp/webrtc-offer.ts';
import { matchPublished, TRANSPORT_SEQUENCE } from '../sdp/webrtc-receive.ts';
import { MediaReceiver } from './media-receiver.ts';

const OFFER = [
  'v=0',
  'a=ice-ufrag:abcd',
  'a=ice-pwd:0123456789012345678901',
  `a=fingerprint:sha-256 ${Array.from({ length: 32 }, () => 'AB').join(':')}`,
  'm=video 9 UDP/TLS/RTP/SAVPF 96',
  'a=mid:0',
  'a=sendonly',
  'a=rtcp-mux',
  `a=extmap:3 ${TRANSPORT_SEQUENCE}`,
  'a=rtpmap:96 H264/90000',
  'a=rtcp-fb:96 nack',
  'a=rtcp-fb:96 nack pli',
  'a=rtcp-fb:96 transport-cc',
  'a=fmtp:96 packetization-mode=1',
  '',
].join('\r\n');

/** What a publisher sends, packet by packet, and what it is told. */
function setup(offer = OFFER) {
  const clock = new VirtualClock();
  const units: AccessUnit[] = [];
  const told: RtcpPacket[] = [];
  const raw: Buffer[] = [];
  let goodbyes = 0;
  const receiver = new MediaReceiver({
    tracks: matchPublished(parseWebRtcOffer(offer)),
    clock,
    sendRtcp: (packet) => {
      raw.push(packet);
      told.push(...parseRtcp(packet));
    },
    onUnit: (unit) => units.push(unit),
    onTrack: () => {},
    onGoodbye: () => goodbyes++,
  });
  const sender = new RtpTrackSender({
    ...{ track: h264Track, payloadType: 96, ssrc: 7, sequence: 65_530 },
    maxPacketSize: 400,
  });
  let pts = 90_000;
  const packets = (keyframe = false) => {
    pts += 3600;
    const { bytes, sizes } = sender.packetize(picture(pts, { keyframe, size: 1000 }));
    let at = 0;
    return sizes.map((size) => bytes.subarray(at, (at += size)));
  };
  return { clock, receiver, units, told, raw, packets, goodbyes: () => goodbyes };
}

const nacked = (told: readonly RtcpPacket[]) =>
  told.flatMap((packet) => (packet.type === 'nack' ? packet.sequences : []));
const asked = (told: readonly RtcpPacket[]) => told.filter(({ type }) => type === 'keyframe-request').length;

describe('what a WebRTC publisher sends', () => {
  it('becomes access units, and a lost packet that is sent again costs nothing', () => {
    const { clock, receiver, units, told, packets } = setup();
    const [first = Buffer.alloc(0), lost = Buffer.alloc(0), ...rest] = packets(true);
    for (const packet of [first, ...rest, ...packets()]) receiver.receiveRtp(packet);
    expect(units).toHaveLength(0);
    clock.advance(30);
    expect(nacked(told)).toEqual([lost.readUInt16BE(2)]);
    receiver.receiveRtp(lost);
    expect(units.map(({ keyframe }) => keyframe)).toEqual([true, false]);
    clock.advance(600);
    expect(nacked(told)).toHaveLength(1);
    expect(receiver.hooks.reception()[0]).toMatchObject({ lost: 0 });
    receiver.close();
    expect(clock.pending).toBe(0);
  });

  it('may come again as another payload type, beside padding under which nothing is missed', () => {
    const offer = OFFER.replace('SAVPF 96', 'SAVPF 96 97').replace(
      'a=rtcp-fb:96 nack\r\n',
      'a=rtpmap:97 rtx/90000\r\na=fmtp:97 apt=96\r\na=rtcp-fb:96 nack\r\n',
    );
    const { clock, receiver, units, packets } = setup(offer);
    const resent = (sequence: number, payload: Buffer, padding = 0) => {
      const header = { payloadType: 97, marker: false, sequence, timestamp: 93_600, ssrc: 99 };
      const bytes = buildRtp({
        ...header,
        payload: Buffer.concat([payload, Buffer.alloc(padding, padding)]),
      });
      if (padding > 0) bytes[0] = 0xa0;
      return bytes;
    };
    const [first = Buffer.alloc(0), lost = Buffer.alloc(0), ...rest] = packets(true);
    for (const packet of [first, ...rest]) receiver.receiveRtp(packet);
    receiver.receiveRtp(resent(5, Buffer.alloc(0), 200));
    receiver.receiveRtp(resent(9, Buffer.concat([lost.subarray(2, 4), lost.subarray(12)])));
    expect(units).toHaveLength(1);
    clock.advance(600);
    expect(receiver.hooks.reception()[0]).toMatchObject({ lost: 0, duplicate: 0 });
    receiver.close();
  });

  it('is asked for a keyframe when a packet stays lost, and not for each picture', () => {
    const { clock, receiver, units, told, packets } = setup();
    for (const packet of packets(true)) receiver.receiveRtp(packet);
    const [, ...rest] = packets();
    for (const packet of rest) receiver.receiveRtp(packet);
    clock.advance(550);
    expect(nacked(told).length).toBeGreaterThan(1);
    for (let i = 0; i < 5; i++) for (const packet of packets()) receiver.receiveRtp(packet);
    expect(asked(told)).toBe(2);
    expect(units).toHaveLength(1);
    for (const packet of packets(true)) receiver.receiveRtp(packet);
    expect(units).toHaveLength(2);
    receiver.close();
  });

  it('is told when its packets arrived, and once a second how many were lost', () => {
    const { clock, receiver, told, raw, packets } = setup();
    const numbered = packets(true).map((packet, i) => withSequence(packet, i + 1));
    for (const packet of numbered) receiver.receiveRtp(packet);
    clock.advance(100);
    const feedback = raw.flatMap(parts).find((part) => ((part[0] ?? 0) & 0x1f) === 15 && part[1] === 205);
    expect(feedback?.readUInt16BE(12)).toBe(1);
    expect(feedback?.readUInt16BE(14)).toBe(numbered.length);
    clock.advance(1000);
    const reports = told.flatMap((packet) => (packet.type === 'receiver-report' ? packet.reports : []));
    expect(reports[0]).toMatchObject({ ssrc: 7, lost: 0 });
    receiver.close();
  });

  it('is one source at a time: another layer under the same payload type is left out', () => {
    const { clock, receiver, units, packets } = setup();
    for (const packet of packets(true)) receiver.receiveRtp(packet);
    const other = packets(true).map((packet) => Buffer.from(packet));
    for (const packet of other) {
      packet.writeUInt32BE(8, 8);
      receiver.receiveRtp(packet);
    }
    expect(units).toHaveLength(1);
    clock.advance(1500);
    // What it began with may have been lost, so it begins with its second keyframe.
    for (const packet of [...other, ...packets(true)]) {
      packet.writeUInt32BE(8, 8);
      receiver.receiveRtp(packet);
    }
    expect(units).toHaveLength(2);
    receiver.close();
  });

  it('is put in step by the reports of its own source', () => {
    const { receiver, clock, units, packets } = setup();
    const report = (ssrc: number, ntp: number) =>
      buildSenderReport({ ssrc, ntp, rtpTimestamp: 93_600, packets: 1, bytes: 1, cname: 'x' });
    for (const packet of packets(true)) receiver.receiveRtp(packet);
    receiver.receiveRtcp(report(99, clock.now() - 50_000));
    receiver.receiveRtcp(report(7, clock.now() - 100));
    for (const packet of packets()) receiver.receiveRtp(packet);
    expect(units[1]?.ntp).toBeCloseTo(clock.now() - 60, 0);
    receiver.close();
  });

  it('ends when all its sources have said goodbye', () => {
    const { receiver, packets, goodbyes } = setup();
    for (const packet of packets(true)) receiver.receiveRtp(packet);
    receiver.receiveRtcp(Buffer.from('81cb000100000009', 'hex'));
    expect(goodbyes()).toBe(0);
    receiver.receiveRtcp(Buffer.from('81cb000100000007', 'hex'));
    expect(goodbyes()).toBe(1);
    receiver.close();
  });
});

/** The packets of a compound one. */
function parts(compound: Buffer): Buffer[] {
  const found: Buffer[] = [];
  for (let at = 0; at < compound.length; ) {
    const end = at + 4 + compound.readUInt16BE(at + 2) * 4;
    found.push(compound.subarray(at, end));
    at = end;
  }
  return found;
}

/** The packet with a transport-wide sequence number as header extension 3. */
function withSequence(packet: Buffer, sequence: number): Buffer {
  const header = Buffer.from(packet.subarray(0, 12));
  header[0] = (header[0] ?? 0) | 0x10;
  const extension = Buffer.from('bede00013100000000', 'hex').subarray(0, 8);
  extension.writeUInt16BE(sequence, 5);
  return Buffer.concat([header, extension, packet.subarray(12)]);
}
