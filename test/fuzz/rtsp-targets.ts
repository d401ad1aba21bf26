import { Hub } from '#hub/hub.ts';
import type { AccessUnit } from '#media/access-unit.ts';
import { StreamClock } from '#media/clock-mapping.ts';
import type { Track } from '#media/track.ts';
import { buildReceiverReport, buildSenderReport, parseRtcp } from '#protocols/rtcp/packet.ts';
import { RtpTrackReceiver } from '#protocols/rtp/track-receiver.ts';
import { RtpTrackSender } from '#protocols/rtp/track-sender.ts';
import type { RtspApplication } from '#protocols/rtsp/application.ts';
import { RtspParser } from '#protocols/rtsp/parser.ts';
import { RtspServerSession } from '#protocols/rtsp/server-session.ts';
import { buildSdp, payloadTypeOf } from '#protocols/sdp/build.ts';
import { parseSdp } from '#protocols/sdp/sdp.ts';
import { depacketizerFor, trackFromMedia } from '#protocols/sdp/tracks.ts';
import { RtspPublishing } from '#servers/rtsp/to-stream.ts';
import { VirtualClock } from '#util/clock.ts';
import {
  ac3Frame,
  ac3Track,
  av1Inter,
  av1Keyframe,
  av1Track,
  vp8Inter,
  vp8Keyframe,
  vp8Track,
  vp9Inter,
  vp9Keyframe,
  vp9Track,
} from '../support/coded-samples.ts';
import { FaultCamera } from '../support/fault-camera/camera.ts';
import { madeUpClip } from '../support/fault-camera/clip.ts';
import { FaultPublisherCore } from '../support/fault-camera/publisher-core.ts';
import { aacTrack, h264Track, opusTrack, picture, sound } from '../support/fmp4-units.ts';
import { H265_SETS, h265Track } from './parameter-targets.ts';
import type { FuzzTarget } from './run.ts';

const text = (...lines: string[]) => Buffer.from(lines.join('\n'));
const hex = (digits: string) => Buffer.from(digits, 'hex');

const pcmaTrack: Track = {
  id: 1,
  clockRate: 8000,
  format: {
    kind: 'audio',
    codec: 'pcma',
    sampleRate: 8000,
    channels: 1,
    config: hex(''),
    codecString: 'pcma',
  },
};
const NOW = 1_790_000_000_000;

/** A session over a hub, as the RTSP door has it, without sockets. */
function rtspSession(send: (bytes: Buffer) => void) {
  const clock = new VirtualClock(NOW);
  const hub = new Hub({ clock });
  let publishing: RtspPublishing | undefined;
  const application: RtspApplication = {
    describe: ({ path }) => ({ sdp: buildSdp([h264Track, aacTrack], { sessionName: path }), name: path }),
    announce: (name, sdp) => {
      publishing = new RtspPublishing(name, sdp, clock);
    },
    setupPlay: () => undefined,
    setupRecord: (setup) => {
      publishing?.setup(setup);
      return undefined;
    },
    play: () => ({ info: [], start: () => {} }),
    pause: () => publishing?.pause(),
    record: () => publishing?.record(hub, { id: 'p', door: 'rtsp', remote: '' }, () => {}),
    progress: () => 0,
    interleaved: (channel, payload) => publishing?.receive(channel, payload),
    released: (reason) => publishing?.close(reason),
    disconnect: () => {},
    fault: (error) => {
      throw error;
    },
  };
  const session = new RtspServerSession({ application, clock, id: 'S', timeoutMs: 60_000, send });
  return { session, hub };
}

/** What a publisher sends to our door in 200 ms of media. */
async function publishedBytes(): Promise<Buffer> {
  const sent: Buffer[] = [];
  const clip = madeUpClip({ gop: 5 });
  const { session, hub } = rtspSession((bytes) => core.receive(bytes));
  const core: FaultPublisherCore = new FaultPublisherCore(
    { url: 'rtsp://127.0.0.1/fuzz', camera: { clip, fate: { endAtMs: 200 } } },
    {
      send: (bytes) => {
        sent.push(bytes);
        session.receive(bytes);
      },
      sendPacket() {},
      reset() {},
      end() {},
    },
  );
  core.start();
  for (let i = 0; i < 20 && !core.recording; i++) await new Promise((resolve) => setImmediate(resolve));
  core.advance(1000);
  await new Promise((resolve) => setImmediate(resolve));
  session.close('over');
  hub.close('over');
  return Buffer.concat(sent);
}

/** Packets with their length before each, as RFC 4571 frames them. */
function framed(packets: readonly Buffer[]): Buffer {
  return Buffer.concat(
    packets.flatMap((packet) => [hex(packet.length.toString(16).padStart(4, '0')), packet]),
  );
}

function* unframed(bytes: Buffer): Generator<Buffer> {
  for (let at = 0; at + 2 <= bytes.length; ) {
    const end = at + 2 + bytes.readUInt16BE(at);
    yield bytes.subarray(at + 2, end);
    at = end;
  }
}

function packetsOf(track: Track, units: readonly AccessUnit[]): Buffer[] {
  const payloadType = payloadTypeOf(track) ?? 96;
  const sender = new RtpTrackSender({ track, payloadType, ssrc: 7, sequence: 65_533, maxPacketSize: 300 });
  return units.flatMap((unit) => {
    const { bytes, sizes } = sender.packetize({ ...unit, track });
    let at = 0;
    return sizes.map((size) => bytes.subarray(at, (at += size)));
  });
}

/** Packets of one track through receiver and clock; RTCP and RTP share the stream, as the first byte tells them. */
function receiving(track: Track, units: readonly AccessUnit[]): FuzzTarget {
  const [media] = parseSdp(buildSdp([track], { sessionName: 'fuzz' })).medias;
  if (!media) throw new Error('The track has no description.');
  return {
    name: `RTP of ${track.format.codec}`,
    seeds: () => {
      const report = buildSenderReport({
        ...{ ssrc: 7, ntp: NOW, rtpTimestamp: 90_000, packets: 1, bytes: 1 },
        cname: 'fuzz',
      });
      const packets = packetsOf(track, units);
      return [framed(packets), framed([report, ...packets]), framed(packets.slice(0, 2))];
    },
    open: () => ({
      take(input) {
        const known = trackFromMedia(media, track.id);
        if ('unsupported' in known) return;
        const onUnit = (unit: AccessUnit) => {
          if (!Number.isSafeInteger(unit.pts) || unit.dts > unit.pts || !Number.isFinite(unit.ntp))
            throw new Error('A unit has impossible times.');
          if (unit.payload.length === 0 || unit.payload.some((part) => part.length === 0))
            throw new Error('A unit is empty.');
        };
        const receiver = new RtpTrackReceiver({ media, track: known, clock: new StreamClock(), onUnit });
        let now = NOW;
        for (const packet of unframed(input)) {
          now += 10;
          if (packet[1] === 200) receiver.receiveRtcp(packet, now);
          else receiver.receiveRtp(packet, now);
        }
        receiver.close();
      },
    }),
  };
}

const pictures = [0, 1, 2].map((n) => picture(90_000 + n * 3600, { keyframe: n === 0, size: 700 }));
const frames = (track: Track, step: number) =>
  [0, 1, 2].map((n) => sound(1000 + n * step, { track, size: 40 }));
const h265Pictures = [0x26, 0x02, 0x02].map((header, n) => ({
  ...picture(90_000 + n * 3600, { track: h265Track, size: 700, keyframe: n === 0 }),
  payload: [
    ...(n === 0 ? H265_SETS : []),
    Buffer.concat([Buffer.from([header, 1, 0xaf]), Buffer.alloc(700, 0x77)]),
  ],
}));

const unitsOf = (track: Track, payloads: readonly (readonly Buffer[])[], step: number): AccessUnit[] =>
  payloads.map((payload, n) => ({
    ...picture(90_000 + n * step, { track, keyframe: n === 0 }),
    payload,
  }));
/** Units of the codecs whose samples are real ones. */
const codedTracks: readonly [Track, AccessUnit[]][] = [
  [av1Track, unitsOf(av1Track, [av1Keyframe, av1Inter, av1Inter], 3600)],
  [vp9Track, unitsOf(vp9Track, [[vp9Keyframe], [vp9Inter], [vp9Inter]], 3600)],
  [vp8Track, unitsOf(vp8Track, [[vp8Keyframe], [vp8Inter], [vp8Inter]], 3600)],
  [ac3Track, unitsOf(ac3Track, [[ac3Frame], [ac3Frame]], 1536)],
];

export const rtspTargets: readonly FuzzTarget[] = [
  {
    name: 'RTSP messages',
    seeds: async () => [
      await publishedBytes(),
      text(
        'RTSP/1.0 401 Unauthorized\r',
        'CSeq: 2\r',
        'WWW-Authenticate: Digest realm="x", nonce="y"\r',
        '\r',
        '',
      ),
      text('DESCRIBE rtsp://h/a?b=c RTSP/1.0\r', 'CSeq: 3\r', 'Accept: application/sdp\r', '\r', ''),
    ],
    open: () => ({
      take(input) {
        const parser = new RtspParser();
        const half = input.length >> 1;
        for (const part of [input.subarray(0, half), input.subarray(half)]) {
          parser.push(part);
          let messages = 0;
          while (parser.next()) if (++messages > input.length) throw new Error('More messages than bytes.');
        }
      },
    }),
  },
  {
    name: 'RTSP sessions',
    seeds: async () => {
      const ask = (...lines: string[]) => text(...lines.map((line) => `${line}\r`), '\r', '');
      const play = Buffer.concat([
        ask('OPTIONS * RTSP/1.0', 'CSeq: 1'),
        ask('DESCRIBE rtsp://h/a RTSP/1.0', 'CSeq: 2'),
        ask(
          'SETUP rtsp://h/a/trackID=1 RTSP/1.0',
          'CSeq: 3',
          'Transport: RTP/AVP/TCP;unicast;interleaved=0-1',
        ),
        ask('PLAY rtsp://h/a RTSP/1.0', 'CSeq: 4', 'Session: S', 'Range: npt=0-'),
        ask('GET_PARAMETER rtsp://h/a RTSP/1.0', 'CSeq: 5', 'Session: S'),
        ask('TEARDOWN rtsp://h/a RTSP/1.0', 'CSeq: 6', 'Session: S'),
      ]);
      return [await publishedBytes(), play];
    },
    open: () => ({
      async take(input) {
        let answers = 0;
        const { session, hub } = rtspSession(() => void answers++);
        const third = Math.ceil(input.length / 3);
        for (let at = 0; at < input.length; at += third) {
          session.receive(input.subarray(at, at + third));
          await Promise.resolve();
        }
        session.close('over');
        hub.close('over');
        if (answers > input.length) throw new Error('More answers than bytes.');
      },
    }),
  },
  {
    name: 'SDP',
    seeds: () => [
      ...[[h264Track, aacTrack], [h265Track, opusTrack], [pcmaTrack]].map((tracks) =>
        Buffer.from(buildSdp(tracks, { sessionName: 'x' })),
      ),
      text(
        'v=0',
        's=x',
        'm=audio 0 RTP/AVP 97',
        'a=rtpmap:97 MP4A-LATM/48000/2',
        'a=fmtp:97 cpresent=0;config=400023203fc0',
      ),
    ],
    open: () => ({
      take(input) {
        for (const media of parseSdp(input.toString('utf8')).medias) {
          const track = trackFromMedia(media, 0);
          if ('unsupported' in track) continue;
          depacketizerFor(media, track).push({ payload: input, marker: true, timestamp: 1, lost: false });
          buildSdp([track], { sessionName: 'again' });
        }
      },
    }),
  },
  receiving(h264Track, pictures),
  receiving(h265Track, h265Pictures),
  ...codedTracks.map(([track, units]) => receiving(track, units)),
  receiving(aacTrack, frames(aacTrack, 1024)),
  receiving(opusTrack, frames(opusTrack, 960)),
  receiving(pcmaTrack, frames(pcmaTrack, 160)),
  {
    name: 'RTCP',
    seeds: () => {
      const block = { ssrc: 1, fractionLost: 2, lost: 3, highestSequence: 4, jitter: 5, lastReport: 6 };
      const reports = [{ ...block, delaySinceLastReport: 7 }];
      const camera = new FaultCamera({ clip: madeUpClip() });
      return [buildReceiverReport(1, reports, 'x'), ...camera.goodbyes()].map((one) =>
        Buffer.concat([
          buildSenderReport({ ssrc: 1, ntp: NOW, rtpTimestamp: 2, packets: 3, bytes: 4, cname: 'y' }),
          one,
        ]),
      );
    },
    open: () => ({ take: (input) => void parseRtcp(input) }),
  },
];
