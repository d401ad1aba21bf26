import { describe, expect, it } from 'vitest';
import { aacFormat } from '#codecs/aac.ts';
import { sizedObu, withoutSize } from '#codecs/av1.ts';
import { h264Format } from '#codecs/h264.ts';
import type { AccessUnit } from '#media/access-unit.ts';
import { StreamClock } from '#media/clock-mapping.ts';
import type { Track } from '#media/track.ts';
import { VirtualClock } from '#util/clock.ts';
import {
  av1Inter,
  av1Keyframe,
  av1Track,
  vp8Inter,
  vp8Keyframe,
  vp8Track,
  vp9Inter,
  vp9Keyframe,
  vp9Track,
} from '../../../test/support/coded-samples.ts';
import { buildSdp } from '../sdp/build.ts';
import { parseSdp } from '../sdp/sdp.ts';
import { RtpTrackReceiver } from './track-receiver.ts';
import { RtpTrackSender } from './track-sender.ts';

/** What a receiver makes of packets that are lost or change places. */

const hex = (text: string) => Buffer.from(text, 'hex');
const SPS = hex('6764001eacd940a02ff97ff000300041000003000100000300320f162d96');
const VIDEO: Track = { id: 0, clockRate: 90_000, format: h264Format([SPS, hex('68ebe3cb22c0')]) };
const AUDIO: Track = { id: 1, clockRate: 48_000, format: aacFormat(hex('1190')) };

const IDR = hex('6588');
const SLICE = hex('419a');
/** An intra picture after a recovery point of 0 frames: where open groups of pictures begin. */
const OPEN = [hex('0606018480'), hex('418888')];

/** A picture of three packets. */
function picture(head: Buffer | readonly Buffer[], pts: number): AccessUnit {
  const nals = Buffer.isBuffer(head) ? [head] : [...head];
  const last = nals.pop() ?? IDR;
  const payload = [...nals, Buffer.concat([last, Buffer.alloc(2500, 3)])];
  return { track: VIDEO, pts, dts: pts, keyframe: false, ntp: 0, payload };
}

const FILLER = Buffer.alloc(2500, 3);
const longer = (frame: Buffer) => [Buffer.concat([frame, FILLER])];
const longerObus = (obus: readonly Buffer[]) => [
  ...obus.slice(0, -1),
  sizedObu([...(withoutSize(obus.at(-1)!) ?? []), FILLER]),
];
/** Codec, track, a keyframe and another picture of three packets. */
const CODED: [string, Track, Buffer[], Buffer[]][] = [
  ['AV1', av1Track, longerObus(av1Keyframe), longerObus(av1Inter)],
  ['VP9', vp9Track, longer(vp9Keyframe), longer(vp9Inter)],
  ['VP8', vp8Track, longer(vp8Keyframe), longer(vp8Inter)],
];

function setUp(track: Track, reorder: boolean) {
  const clock = new VirtualClock();
  const [media] = parseSdp(buildSdp([track], { sessionName: 'test' })).medias;
  if (!media) throw new Error('no media');
  const units: AccessUnit[] = [];
  let concealed = 0;
  const receiver = new RtpTrackReceiver({
    media,
    track,
    clock: new StreamClock(),
    onUnit: (unit) => units.push(unit),
    onConcealed: () => concealed++,
    ...(reorder && { reorder: { clock } }),
  });
  const out = new RtpTrackSender({ track, payloadType: 96, ssrc: 1, sequence: 100, maxPacketSize: 1000 });
  const packetsOf = (unit: AccessUnit): Buffer[] => {
    const { bytes, sizes } = out.packetize(unit);
    let at = 0;
    return sizes.map((size) => bytes.subarray(at, (at += size)));
  };
  const put = (packets: readonly Buffer[]) => {
    for (const packet of packets) receiver.receiveRtp(packet, clock.now());
  };
  const times = () => units.map(({ pts }) => (pts % 2 ** 32) / 3600);
  return { clock, receiver, packetsOf, put, times, asked: () => concealed };
}

/** Pictures 0, 1, 2 …: an IDR picture first and then each fifth. */
const nth = (n: number) => picture(n % 5 === 0 ? IDR : SLICE, n * 3600);

describe.each([
  ['in their order', false],
  ['through the reorder buffer', true],
])('packets taken %s', (_name, reorder) => {
  it.each([0, 1, 2])('lose the pictures from one that lacks packet %i to the next keyframe', (missing) => {
    const { clock, receiver, packetsOf, put, times, asked } = setUp(VIDEO, reorder);
    for (let n = 0; n < 8; n++) {
      put(packetsOf(nth(n)).filter((_packet, i) => n !== 2 || i !== missing));
      clock.advance(40);
    }
    expect(times()).toEqual([0, 1, 5, 6, 7]);
    // Of the last packet of a picture nobody knows whether it was not the first of the next.
    expect(receiver.counters).toMatchObject({ lost: 1, concealed: missing === 2 ? 1 : 2 });
    expect(asked()).toBe(receiver.counters.concealed);
  });

  it.each(CODED)(
    'lose the pictures up to the next keyframe in every codec: %s',
    (_codec, track, key, inter) => {
      const { clock, receiver, packetsOf, put, times } = setUp(track, reorder);
      for (let n = 0; n < 8; n++) {
        const payload = n % 5 === 0 ? key : inter;
        const packets = packetsOf({ track, pts: n * 3600, dts: n * 3600, keyframe: false, ntp: 0, payload });
        expect(packets).toHaveLength(3);
        put(packets.filter((_packet, i) => n !== 2 || i !== 1));
        clock.advance(40);
      }
      expect(times()).toEqual([0, 1, 5, 6, 7]);
      expect(receiver.track.format).toEqual(track.format);
      expect(receiver.counters).toMatchObject({ lost: 1, concealed: 2, discarded: 1 });
    },
  );

  it('lose the pictures after one that never came', () => {
    const { clock, receiver, packetsOf, put, times } = setUp(VIDEO, reorder);
    for (let n = 0; n < 7; n++) {
      const packets = packetsOf(nth(n));
      if (n !== 1) put(packets);
      clock.advance(40);
    }
    expect(times()).toEqual([0, 5, 6]);
    expect(receiver.counters).toMatchObject({ lost: 3, concealed: 2, discarded: 1 });
  });

  it('lose what points back over the keyframe of an open group of pictures', () => {
    const { clock, packetsOf, put, times } = setUp(VIDEO, reorder);
    const pictures = [
      picture(IDR, 0),
      picture(SLICE, 2 * 3600),
      picture(SLICE, 3600),
      picture(OPEN, 5 * 3600),
      picture(SLICE, 4 * 3600),
      picture(SLICE, 8 * 3600),
      picture(SLICE, 7 * 3600),
    ];
    pictures.forEach((unit, i) => {
      put(packetsOf(unit).slice(i === 1 ? 1 : 0));
      clock.advance(40);
    });
    expect(times()).toEqual([0, 5, 8, 7]);
  });

  it('leave a gap in the sound, and nothing more', () => {
    const { clock, receiver, packetsOf, put } = setUp(AUDIO, reorder);
    for (let n = 0; n < 10; n++) {
      const pts = n * 1024;
      const [packet] = packetsOf({ ...nth(0), track: AUDIO, pts, payload: [Buffer.alloc(100, n)] });
      if (packet && n !== 4) put([packet]);
      clock.advance(21);
    }
    clock.advance(100);
    expect(receiver.counters).toMatchObject({ packets: 9, lost: 1, concealed: 0, discarded: 0 });
    expect(receiver.report(clock.now())).toMatchObject({ lost: 1, ssrc: 1 });
  });
});

describe('packets through the reorder buffer', () => {
  it('may come in any order', () => {
    const { clock, receiver, packetsOf, put, times } = setUp(VIDEO, true);
    const [first = [], ...rest] = [0, 1, 2, 3].map((n) => packetsOf(nth(n)));
    put(first);
    put(rest.flat().reverse());
    expect(times()).toEqual([0, 1, 2, 3]);
    expect(receiver.counters).toMatchObject({ lost: 0, late: 0, duplicate: 0, concealed: 0 });
    expect(clock.pending).toBe(0);
  });

  it('begin with a keyframe, since those before may have been lost', () => {
    const { receiver, packetsOf, put, times } = setUp(VIDEO, true);
    for (let n = 3; n < 7; n++) put(packetsOf(nth(n)));
    expect(times()).toEqual([5, 6]);
    expect(receiver.counters).toMatchObject({ lost: 0, concealed: 2 });
  });

  it('are forgotten when the receiver is closed', () => {
    const { clock, receiver, packetsOf, put, times } = setUp(VIDEO, true);
    put(packetsOf(nth(0)));
    put(packetsOf(nth(1)).slice(1));
    receiver.close();
    clock.advance(1000);
    expect(times()).toEqual([0]);
    expect(clock.pending).toBe(0);
  });
});
