import { describe, expect, it } from 'vitest';
import { buildRtp, parseRtp } from '#protocols/rtp/packet.ts';
import { h264Track } from '../../../test/support/fmp4-units.ts';
import { type LineOrigin, OutgoingLine } from './outgoing-line.ts';

const format = {
  payloadType: 102,
  encodingName: 'H264',
  clockRate: 90_000,
  channels: 1,
  fmtp: new Map(),
  feedback: [],
};
const sent = { track: h264Track, mid: '0', format, convert: undefined, ssrc: 7, rtxSsrc: 8 };
const start = { sequence: 65_530, rtxSequence: 900 };

function packet(sequence: number, timestamp: number, ssrc = 1): Buffer {
  const payload = Buffer.from([sequence & 0xff]);
  return buildRtp({ payloadType: 96, marker: true, sequence: sequence & 0xffff, timestamp, ssrc, payload });
}

/** A feed whose latest keyframe begins with the packet of this number. */
function feed(keyframe: number): LineOrigin {
  return { beginsKeyframe: (bytes) => bytes.readUInt16BE(2) === keyframe };
}

describe('the packets of one media section', () => {
  it('begin with a keyframe and are numbered on from a number of their own', () => {
    const line = new OutgoingLine({ ...sent, rtx: undefined }, start);
    const one = feed(101);
    const numbers = [100, 101, 102, 108].map((n) => line.place(packet(n, n * 10), one));
    expect(numbers).toEqual([undefined, 65_530, 65_531, 1]);
  });

  it('come from another feed from a keyframe on that is newer, without a hole in their numbers', () => {
    const line = new OutgoingLine({ ...sent, rtx: undefined }, start);
    const [one, two] = [feed(1), feed(500)];
    line.place(packet(1, 1000), one);
    line.place(packet(2, 2000), one);
    // The other feed replays what it has since its last keyframe: that went out already.
    expect(line.place(packet(500, 2000, 2), two)).toBeUndefined();
    expect(line.place(packet(501, 3000, 2), two)).toBeUndefined();
    expect(line.place(packet(3, 3000), one)).toBe(65_532);
    const three = feed(502);
    expect(line.place(packet(502, 4000, 2), three)).toBe(65_533);
    // What the former feed had yet is too late.
    expect(line.place(packet(4, 4000), one)).toBeUndefined();
    expect(line.place(packet(503, 5000, 2), three)).toBe(65_534);
  });

  it('go on anywhere in another feed of the same source, which stands where the last one left off', () => {
    const line = new OutgoingLine({ ...sent, rtx: undefined }, start);
    const [one, two] = [feed(1), feed(500)];
    for (const n of [1, 2]) line.place(packet(n, n * 1000), one);
    expect([500, 501].map((n) => line.isLevel(packet(n, (n - 499) * 1000)))).toEqual([false, true]);
    expect([500, 501, 502].map((n) => line.place(packet(n, (n - 499) * 1000), two))).toEqual([
      undefined,
      undefined,
      65_532,
    ]);
  });

  it('are found again also just after their numbers have gone round', () => {
    const line = new OutgoingLine({ ...sent, rtx: undefined }, start);
    const one = feed(0);
    for (let n = 0; n <= 65_540; n++) line.place(packet(n, n * 10), one);
    // The latest went out as 65_530 + 65_540.
    expect(line.ownNumber((65_530 + 65_530) & 0xffff)).toBe(65_530);
  });

  it('take a time that wraps for a newer one', () => {
    const line = new OutgoingLine({ ...sent, rtx: undefined }, start);
    line.place(packet(1, 2 ** 32 - 10), feed(1));
    expect(line.place(packet(9, 20, 2), feed(9))).toBe(65_531);
  });

  it('go out again under new numbers when the viewer lost its way, and none under a number that was used', () => {
    const line = new OutgoingLine({ ...sent, rtx: undefined }, start);
    const one = feed(10);
    for (const n of [10, 11, 12]) line.place(packet(n, n * 10), one);
    expect([65_530, 65_532].map((n) => line.ownNumber(n))).toEqual([10, 12]);
    line.beginAnew();
    expect(line.ownNumber(65_532)).toBeUndefined();
    expect([10, 11, 12, 13].map((n) => line.place(packet(n, n * 10), one))).toEqual([
      65_533, 65_534, 65_535, 0,
    ]);
    expect([65_532, 65_533, 0, 1].map((n) => line.ownNumber(n))).toEqual([undefined, 10, 13, undefined]);
  });
});

describe('a packet that is asked for again', () => {
  it('goes out as it was where the browser knows no other way', () => {
    const line = new OutgoingLine({ ...sent, rtx: undefined }, start);
    const bytes = packet(10, 100);
    line.place(bytes, feed(10));
    expect(line.again(bytes, 65_530)).toEqual({ bytes, payloadType: 102, ssrc: 7, sequence: 65_530 });
  });

  it('carries the extension that it went out with, and so does a packet of its own', () => {
    const playoutDelay = Buffer.from('bede000152000002', 'hex');
    const rtx = { ...format, payloadType: 103, encodingName: 'RTX' };
    for (const line of [undefined, rtx].map(
      (as) => new OutgoingLine({ ...sent, rtx: as, playoutDelay }, start),
    )) {
      const bytes = packet(10, 100);
      const sequence = line.place(bytes, feed(10))!;
      expect(line.dressed(bytes, sequence).extension).toBe(playoutDelay);
      expect(line.again(bytes, sequence).extension).toBe(playoutDelay);
    }
  });

  it('goes out in a packet of its own where that was agreed on: its number stands before the payload', () => {
    const rtx = { ...format, payloadType: 103, encodingName: 'RTX' };
    const line = new OutgoingLine({ ...sent, rtx }, start);
    const bytes = packet(10, 100);
    line.place(bytes, feed(10));
    line.again(bytes, 65_530);
    const again = line.again(bytes, 65_530);
    expect(again).toMatchObject({ payloadType: 103, ssrc: 8, sequence: 901 });
    const parsed = parseRtp(again.bytes);
    expect(parsed).toMatchObject({ timestamp: 100, marker: true });
    expect(parsed?.payload).toEqual(Buffer.from([0xff, 0xfa, 10]));
  });
});
