import { describe, expect, it } from 'vitest';
import { WebRtcFeedWriter } from '#feeds/webrtc/feed-writer.ts';
import type { Feed } from '#hub/feed.ts';
import { buildRtp } from '#protocols/rtp/packet.ts';
import { VirtualClock } from '#util/clock.ts';
import { PacketSender } from './packet-sender.ts';

const SSRC = 7;

/** A sender, what it sent, and a feed that has the packets with the numbers up to 200 and shortly before 0. */
function setUp(isBlocked = false) {
  const clock = new VirtualClock();
  const sent: number[] = [];
  const packets = new Map<number, Buffer>();
  const packet = (sequence: number) => {
    const header = { payloadType: 96, marker: true, sequence, timestamp: 0, ssrc: SSRC };
    const bytes = buildRtp({ ...header, payload: Buffer.alloc(1000) });
    packets.set(sequence, bytes);
    return bytes;
  };
  for (let n = -50; n <= 200; n++) packet(n & 0xffff);
  const writer: unknown = Object.assign(Object.create(WebRtcFeedWriter.prototype), {
    packet: (_: number, sequence: number) => packets.get(sequence),
  });
  const sender = new PacketSender({
    clock,
    payloadTypes: new Map([[SSRC, 102]]),
    sendRtp: (bytes) => sent.push(bytes.readUInt16BE(2)),
    sendRtcp: () => {},
    isBlocked: () => isBlocked,
  });
  const write = (sequence: number) => {
    const bytes = packets.get(sequence)!;
    const head = Buffer.from([0x24, 0, 0, 0]);
    head.writeUInt16BE(bytes.length, 2);
    sender.write(Buffer.concat([head, bytes]));
  };
  const feed = { writer } as Feed;
  const miss = (...sequences: number[]) => sender.feedback({ type: 'nack', ssrc: SSRC, sequences }, feed);
  return { clock, sender, sent, write, miss };
}

describe('packets to another server', () => {
  it('are sent again only where they went out before: another under an index of the cipher would lay it open', () => {
    const { sent, write, miss, clock } = setUp();
    for (const n of [5, 6, 7]) write(n);
    miss(6, 4, 0, 65_530, 100);
    clock.advance(100);
    expect(sent).toEqual([5, 6, 7, 6]);
  });

  it('do not pile up where a server that takes nothing asks for them again and again', () => {
    const { sender, write, miss, clock } = setUp(true);
    for (let n = 0; n <= 100; n++) write(n);
    for (let i = 0; i < 60; i++) {
      for (let k = 0; k < 5; k++) miss(...Array.from({ length: 100 }, (_, n) => n));
      clock.advance(1000);
    }
    expect(sender.backlog).toBeLessThan(300_000);
    sender.close();
  });
});
