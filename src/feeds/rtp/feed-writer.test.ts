import { describe, expect, test } from 'vitest';
import type { Chunk } from '#hub/feed.ts';
import type { AccessUnit } from '#media/access-unit.ts';
import type { Track } from '#media/track.ts';
import { parseRtcp } from '#protocols/rtcp/packet.ts';
import { parseRtp } from '#protocols/rtp/packet.ts';
import type { InterleavedFrame } from '#protocols/rtsp/message.ts';
import { RtspParser } from '#protocols/rtsp/parser.ts';
import { type FeedTrack, feedKey, RtspFeedWriter } from './feed-writer.ts';

const START = 1_700_000_000_000;

const video: Track = {
  id: 0,
  clockRate: 90_000,
  format: { kind: 'video', codec: 'h264', parameterSets: [], width: 320, height: 180, codecString: '' },
};
const audio: Track = {
  id: 1,
  clockRate: 48_000,
  format: {
    kind: 'audio',
    codec: 'opus',
    sampleRate: 48_000,
    channels: 2,
    config: Buffer.alloc(0),
    codecString: 'opus',
  },
};

/** Picture n of 25 in a second; capture time and RTP time begin at values that have nothing to do with each other. */
function picture(n: number, size = 5000): AccessUnit {
  const nal = Buffer.alloc(size, n);
  nal[0] = n % 25 === 0 ? 0x65 : 0x41;
  const pts = 1_000_000 + n * 3600;
  return { track: video, pts, dts: pts, keyframe: n % 25 === 0, ntp: START + n * 40, payload: [nal] };
}

/** Packet n of 50 in a second. */
function sound(n: number): AccessUnit {
  const pts = 7_000_000 + n * 960;
  return { track: audio, pts, dts: pts, keyframe: true, ntp: START + n * 20, payload: [Buffer.alloc(80, n)] };
}

function setUp(limits = { gopBytes: 1 << 20, gopUnits: 100 }) {
  const tracks: FeedTrack[] = [
    { track: video, payloadType: 96, channels: [0, 1], sequence: { ssrc: 0xa, next: 65_535 } },
    { track: audio, payloadType: 97, channels: [2, 3], sequence: { ssrc: 0xb, next: 10 } },
  ];
  const writer = new RtspFeedWriter({ tracks, limits, cname: 'cam' });
  const chunks: Chunk[] = [];
  return {
    writer,
    tracks,
    chunks,
    put: (unit: AccessUnit) => writer.write(unit, (chunk) => chunks.push(chunk)),
  };
}

function framesOf(bytes: Buffer): InterleavedFrame[] {
  const parser = new RtspParser();
  parser.push(bytes);
  const frames: InterleavedFrame[] = [];
  for (let message = parser.next(); message; message = parser.next()) {
    if (message.kind === 'interleaved') frames.push(message);
  }
  return frames;
}

function reportOf(bytes: Buffer) {
  const frames = framesOf(bytes);
  return frames.flatMap(({ channel, payload }) =>
    parseRtcp(payload).flatMap((packet) => (packet.type === 'sender-report' ? [{ channel, ...packet }] : [])),
  );
}

describe('RtspFeedWriter', () => {
  test('makes one buffer of an access unit, with all its packets framed', () => {
    const { chunks, put } = setUp();
    put(picture(0));
    const media = chunks.filter(({ kind }) => kind === 'video');
    expect(media).toMatchObject([{ keyframe: true, track: 0 }]);
    const frames = framesOf(media[0]?.bytes ?? Buffer.alloc(0));
    const packets = frames.map(({ payload }) => parseRtp(payload));
    expect(frames.map(({ channel }) => channel)).toEqual([0, 0, 0, 0]);
    expect(packets.map((packet) => packet?.sequence)).toEqual([65_535, 0, 1, 2]);
    expect(packets.map((packet) => packet?.marker)).toEqual([false, false, false, true]);
    expect(new Set(packets.map((packet) => packet?.timestamp))).toEqual(new Set([1_000_000]));
    expect(Math.max(...frames.map(({ payload }) => payload.length))).toBeLessThanOrEqual(1452);
  });

  test('sends a report before the first packet of each track and then every 5 s of media', () => {
    const { chunks, put } = setUp();
    for (let n = 0; n < 300; n++) {
      put(picture(n, 100));
      put(sound(2 * n));
    }
    expect(chunks.slice(0, 4).map(({ kind }) => kind)).toEqual(['data', 'video', 'data', 'audio']);
    const reports = chunks.filter(({ kind }) => kind === 'data').flatMap(({ bytes }) => reportOf(bytes));
    expect(reports.map(({ channel, ntp }) => [channel, Math.round((ntp ?? 0) - START)])).toEqual([
      [1, 0],
      [3, 0],
      [1, 5000],
      [3, 5000],
      [1, 10_000],
      [3, 10_000],
    ]);
    expect(reports[4]).toMatchObject({ ssrc: 0xa, rtpTimestamp: 1_000_000 + 900_000 });
    expect(reports[5]).toMatchObject({ ssrc: 0xb, rtpTimestamp: 7_000_000 + 480_000 });
  });

  test('greets a reader with one report per track for the keyframe that it begins with', () => {
    const { writer, put } = setUp();
    expect(writer.greeting()).toEqual([]);
    for (let n = 0; n <= 30; n++) {
      put(picture(n, 100));
      put(sound(2 * n));
    }
    const greeting = writer.greeting();
    expect(greeting).toHaveLength(1);
    const reports = reportOf(greeting[0] ?? Buffer.alloc(0));
    // Picture 25 is the keyframe; sound has come up to picture 30.
    expect(reports.map(({ ntp }) => Math.round((ntp ?? 0) - START))).toEqual([1000, 1000]);
    expect(reports.map(({ rtpTimestamp }) => rtpTimestamp)).toEqual([1_090_000, 7_048_000]);
    expect(writer.startPoints()).toEqual([
      { trackId: 0, sequence: 24, timestamp: 1_090_000 },
      { trackId: 1, sequence: 10 + 31, timestamp: 7_048_000 },
    ]);
  });

  test('starts a reader at the live edge when the pictures since the keyframe are too many to keep', () => {
    const { writer, put } = setUp({ gopBytes: 1 << 20, gopUnits: 3 });
    for (let n = 0; n < 5; n++) put(picture(n, 100));
    expect(writer.startPoints()).toEqual([
      { trackId: 0, sequence: 4, timestamp: 1_000_000 + 4 * 3600 },
      { trackId: 1, sequence: 10 },
    ]);
  });

  test('leaves its sequence numbers for the feed that comes after it', () => {
    const { tracks, put } = setUp();
    put(picture(0, 100));
    expect(tracks[0]?.sequence.next).toBe(0);
  });
});

test('feeds with the same tracks on the same channels have the same key', () => {
  expect(
    feedKey([
      { track: audio, channels: [2, 3] },
      { track: video, channels: [0, 1] },
    ]),
  ).toBe('rtsp-tcp:0=0,1=2');
  expect(feedKey([{ track: video, channels: [4, 9] }])).toBe('rtsp-tcp:0=4-9');
});
