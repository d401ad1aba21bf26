import { describe, expect, it } from 'vitest';
import { h265Format } from '#codecs/h265.ts';
import { RtpSequences } from '#feeds/rtp/rtp-sequences.ts';
import { WebRtcFeedWriter } from '#feeds/webrtc/feed-writer.ts';
import { Hub } from '#hub/hub.ts';
import type { Stream } from '#hub/stream.ts';
import { FIRST_MADE_ID } from '#hub/track-table.ts';
import type { Track } from '#media/track.ts';
import type { SentTrack } from '#protocols/sdp/webrtc-answer.ts';
import { parseWebRtcOffer } from '#protocols/sdp/webrtc-offer.ts';
import { VirtualClock } from '#util/clock.ts';
import { aacTrack, h264Track, opusTrack, picture, sound } from '../../../test/support/fmp4-units.ts';
import { chooseTracks, StreamReading } from './from-stream.ts';
import { OutgoingLine } from './outgoing-line.ts';

const OFFER = parseWebRtcOffer(
  [
    'v=0',
    'a=group:BUNDLE 0 1',
    'm=video 9 UDP/TLS/RTP/SAVPF 96',
    'a=ice-ufrag:abcd',
    'a=ice-pwd:0123456789012345678901',
    `a=fingerprint:sha-256 ${Array.from({ length: 32 }, () => 'AB').join(':')}`,
    'a=mid:0',
    'a=recvonly',
    'a=rtcp-mux',
    'a=rtpmap:96 H264/90000',
    'a=fmtp:96 packetization-mode=1;profile-level-id=42e01f',
    'm=audio 9 UDP/TLS/RTP/SAVPF 111',
    'a=mid:1',
    'a=recvonly',
    'a=rtcp-mux',
    'a=rtpmap:111 opus/48000/2',
    '',
  ].join('\r\n'),
);

const STEP = 3600;
const h265Track: Track = { id: 5, clockRate: 90_000, format: h265Format([]) };

/** A viewer of the stream `live`, whose packets are kept as `v10K` would be: kind, time in pictures or frames. */
function setUp(tracks: readonly Track[]) {
  const clock = new VirtualClock();
  const renditions: string[] = [];
  let fail = (_reason: string, _more: { retried: boolean }) => {};
  const hub = new Hub({
    clock,
    startRendition: ({ track, request }, onFailure) => {
      const name = `${track}:${request.codec}`;
      renditions.push(`+${name}`);
      fail = onFailure;
      return () => renditions.push(`-${name}`);
    },
  });
  const publish = (of: readonly Track[]) =>
    hub.publish('live', { id: 'p', door: 'test', remote: 'test' }, of, { onClose: () => {} });
  const publication = publish(tracks);
  const stream = hub.get('live') as Stream;
  const sequences = new RtpSequences();
  const packets: { what: string; sequence: number }[] = [];
  const ends: string[] = [];
  const watch = () => {
    const sent: SentTrack[] = chooseTracks(OFFER, stream).map((one, i) => ({
      ...one,
      ssrc: 10 + i,
      rtxSsrc: 20 + i,
    }));
    const start = { sequence: 0, rtxSequence: 0 };
    const lines = sent.map((one) => new OutgoingLine(one, start));
    const reading = new StreamReading({
      ...{ id: 'r', remote: 'test', stream, offer: OFFER, sent, clock, limits: hub.options.readerLimits },
      lines: new Map(lines.map((line) => [line.mid, line])),
      openFeed: (of) => {
        const key = `webrtc ${of.map(({ id }) => id).join(' ')}`;
        const { feedLimits: limits } = hub.options;
        const make = (track: Track, i: number) => ({
          ...{ track, payloadType: 96, sequence: sequences.of(stream, key, track.id) },
          channels: [i * 2, i * 2 + 1] as const,
        });
        const ids = of.map(({ id }) => id);
        return stream.feed(
          key,
          ids,
          () => new WebRtcFeedWriter({ tracks: of.map(make), limits, cname: 'live' }),
        );
      },
      sourceOf: ({ id }) => sequences.ssrc(stream, id),
      onPacket: (packet, { kind }, sequence) => {
        const time = packet.readUInt32BE(4) / (kind === 'video' ? STEP : 960);
        packets.push({ what: `${kind[0]}${time}`, sequence });
      },
      onReport: () => {},
      onWritten: () => {},
      backlog: () => 0,
      onEnd: (reason) => {
        ends.push(reason);
        reading.close(reason);
      },
    });
    return { sent, reading };
  };
  /** What went out since it was asked the last time. */
  const seen = () => packets.splice(0).map(({ what }) => what);
  const fails = (reason: string) => fail(reason, { retried: false });
  return { clock, stream, publish, publication, watch, packets, seen, ends, renditions, fails };
}

const at = (n: number, track: Track = h264Track, keyframe = false) => picture(n * STEP, { track, keyframe });
const heard = (n: number, track: Track = opusTrack) => sound(n * 960, { track });
/** Lets promises of renditions be heard. */
const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

describe('what a viewer over WebRTC reads', () => {
  it('is the stream as it is where the browser can take it, from the last keyframe on', () => {
    const { publication, watch, seen, renditions } = setUp([h264Track, opusTrack]);
    for (const n of [0, 1]) publication.write(at(n, h264Track, n === 0));
    const { reading } = watch();
    expect(seen()).toEqual([]);
    reading.start();
    publication.write(heard(3));
    publication.write(at(2));
    expect(seen()).toEqual(['v0', 'v1', 'a3', 'v2']);
    expect(renditions).toEqual([]);
  });

  it('goes over to a rendition when B-frames turn up, at a keyframe that is newer, numbers going on', async () => {
    const { clock, stream, publication, watch, packets, renditions, ends } = setUp([h264Track]);
    const { reading } = watch();
    reading.start();
    publication.write(at(0, h264Track, true));
    publication.write({ ...at(3), dts: STEP });
    publication.write({ ...at(1), dts: STEP + 1 });
    expect(renditions).toEqual(['+1:h264']);
    const made = { ...h264Track, id: FIRST_MADE_ID };
    let asked = 0;
    stream.renditions.announce(1, made, () => asked++);
    await turn();
    // It was asked for one when it was opened; what counts here is what comes later.
    asked = 0;
    clock.advance(1000);
    expect(packets.splice(0).map(({ what }) => what)).toEqual(['v0', 'v3', 'v1']);
    // It begins with the last keyframe, which the viewer has already: the picture stands still until it has come up.
    stream.renditions.write(at(0, made, true));
    publication.write({ ...at(6), dts: 2 * STEP });
    stream.renditions.write(at(3, made));
    expect([asked, packets]).toEqual([0, []]);
    stream.renditions.write(at(4, made));
    expect([asked, packets]).toEqual([1, []]);
    stream.renditions.write(at(5, made, true));
    publication.write({ ...at(8), dts: 3 * STEP });
    stream.renditions.write(at(6, made));
    expect(packets.splice(0)).toEqual([
      { what: 'v5', sequence: 3 },
      { what: 'v6', sequence: 4 },
    ]);
    expect(stream.readerCount).toBe(1);
    reading.close('The viewer left.');
    expect(renditions).toEqual(['+1:h264', '-1:h264']);
    expect(ends).toEqual([]);
  });

  it('has sound in AAC as Opus, for two viewers made once, and ends it with the last', async () => {
    const { stream, publication, watch, seen, renditions } = setUp([h264Track, aacTrack]);
    const viewers = [watch(), watch()];
    for (const { reading } of viewers) reading.start();
    expect(renditions).toEqual(['+2:opus']);
    const made = { ...opusTrack, id: FIRST_MADE_ID };
    stream.renditions.announce(2, made);
    await turn();
    publication.write(at(0, h264Track, true));
    stream.renditions.write(heard(0, made));
    expect(seen()).toEqual(['v0', 'v0', 'a0', 'a0']);
    viewers[0]?.reading.close('The viewer left.');
    expect(renditions).toEqual(['+2:opus']);
    viewers[1]?.reading.close('The viewer left.');
    expect(renditions).toEqual(['+2:opus', '-2:opus']);
  });

  it('is the picture alone while the sound is late, and both when it is there', async () => {
    const { clock, stream, publication, watch, seen } = setUp([h264Track, aacTrack]);
    const { reading } = watch();
    reading.start();
    publication.write(at(0, h264Track, true));
    expect(seen()).toEqual([]);
    clock.advance(3000);
    expect(seen()).toEqual(['v0']);
    const made = { ...opusTrack, id: FIRST_MADE_ID };
    stream.renditions.announce(2, made);
    await turn();
    publication.write(at(1));
    stream.renditions.write(heard(2, made));
    publication.write(at(2, h264Track, true));
    stream.renditions.write(heard(4, made));
    expect(seen()).toEqual(['v1', 'a2', 'v2', 'a4']);
  });

  it('is the picture alone where the sound cannot be made, and nothing where the picture cannot', async () => {
    const { publication, watch, seen, fails, ends } = setUp([h264Track, aacTrack]);
    const { reading } = watch();
    reading.start();
    fails('its rate is odd.');
    await turn();
    publication.write(at(0, h264Track, true));
    expect(seen()).toEqual(['v0']);
    expect(ends).toEqual([]);
    const other = setUp([h265Track]);
    other.watch().reading.start();
    other.fails('there is no decoder for it here.');
    await turn();
    expect(other.ends).toEqual([
      'The picture cannot be turned into H.264 without B-frames: there is no decoder for it here.',
    ]);
  });

  it('ends when the picture is given up by its maker after it was there, and not when the sound is', async () => {
    for (const [tracks, made, codec, ended] of [
      [[h265Track], { ...h264Track, id: FIRST_MADE_ID }, 'picture', 1],
      [[h264Track, aacTrack], { ...opusTrack, id: FIRST_MADE_ID }, 'sound', 0],
    ] as const) {
      const { stream, watch, fails, ends } = setUp(tracks);
      const { reading } = watch();
      reading.start();
      stream.renditions.announce(tracks.at(-1)!.id, made);
      await turn();
      fails('its worker crashed again and again.');
      await turn();
      expect(ends, codec).toHaveLength(ended);
      reading.close('The viewer left.');
    }
  });

  it('goes on over what was agreed on when another publisher brings other codecs', async () => {
    const { stream, publication, publish, watch, packets, seen, renditions, ends } = setUp([
      h264Track,
      opusTrack,
    ]);
    const { reading } = watch();
    reading.start();
    for (const n of [0, 1]) publication.write(at(n, h264Track, n === 0));
    expect(seen()).toEqual(['v0', 'v1']);
    const next = publish([h265Track, aacTrack]);
    expect(ends).toEqual([]);
    const ids = stream.tracks.map(({ id }) => id);
    expect(renditions).toEqual([`+${ids[0]}:h264`, `+${ids[1]}:opus`]);
    const made = [
      { ...h264Track, id: FIRST_MADE_ID },
      { ...opusTrack, id: FIRST_MADE_ID + 1 },
    ] as const;
    stream.renditions.announce(ids[0]!, made[0]);
    stream.renditions.announce(ids[1]!, made[1]);
    await turn();
    next.write(at(0, h265Track, true));
    stream.renditions.write(at(10, made[0], true));
    stream.renditions.write(heard(40, made[1]));
    expect(packets).toEqual([
      { what: 'v10', sequence: 2 },
      { what: 'a40', sequence: 0 },
    ]);
  });

  it('is given again from the last keyframe, under new numbers, when the viewer lost its way', () => {
    const { publication, watch, packets } = setUp([h264Track]);
    const { reading } = watch();
    reading.start();
    for (const n of [0, 1, 2]) publication.write(at(n, h264Track, n === 0));
    packets.splice(0);
    expect(reading.current?.replay()).toBe(true);
    publication.write(at(3));
    expect(packets).toEqual([0, 1, 2, 3].map((n) => ({ what: `v${n}`, sequence: n + 3 })));
  });

  it('goes on with the picture when a publisher without sound takes over', () => {
    const { publication, publish, watch, seen, ends } = setUp([h264Track, opusTrack]);
    const { reading } = watch();
    reading.start();
    publication.write(at(0, h264Track, true));
    const next = publish([h264Track]);
    next.write({ ...at(1, h264Track, true), ntp: at(1).ntp });
    expect(seen()).toEqual(['v0', 'v1']);
    expect(ends).toEqual([]);
  });

  it('ends with a sentence where there is something that was not agreed on: the viewer has to ask anew', () => {
    const { publish, watch, ends } = setUp([h264Track]);
    const { reading } = watch();
    reading.start();
    publish([h264Track, opusTrack]);
    expect(ends).toEqual(['The audio is now opus: connect again.']);
  });
});
