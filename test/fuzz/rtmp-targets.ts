import { writeCaptureTime } from '#containers/flv/capture-time.ts';
import { FlvIngest } from '#containers/flv/ingest.ts';
import { parseAudioTag, parseVideoTag } from '#containers/flv/tags.ts';
import { sequenceHeader, unitBody } from '#containers/flv/write.ts';
import { Hub } from '#hub/hub.ts';
import { splitAggregate } from '#protocols/rtmp/aggregate.ts';
import { ChunkReader } from '#protocols/rtmp/chunk-reader.ts';
import { RtmpClientSession } from '#protocols/rtmp/client-session.ts';
import { commandMessage, controlMessage, MessageType, writeMessage } from '#protocols/rtmp/message.ts';
import { RtmpServerSession } from '#protocols/rtmp/server-session.ts';
import { parseRtmpTarget } from '#protocols/rtmp/target.ts';
import { parseAmf0, writeAmf0, writeEcmaArray } from '#util/amf0.ts';
import { Amf3Reader } from '#util/amf3.ts';
import { VirtualClock } from '#util/clock.ts';
import { NamedError } from '#util/named-error.ts';
import {
  ac3Frame,
  ac3Track,
  av1Keyframe,
  av1Track,
  vp8Keyframe,
  vp8Track,
  vp9Keyframe,
  vp9Track,
} from '../support/coded-samples.ts';
import { aacTrack, h264Track, opusTrack, picture, sound } from '../support/fmp4-units.ts';
import type { FuzzTarget } from './run.ts';

const tags = [
  sequenceHeader(h264Track)!,
  sequenceHeader(aacTrack)!,
  sequenceHeader(opusTrack)!,
  unitBody(picture(0, { keyframe: true }), 80)!,
  unitBody(sound(0), 0)!,
].map((parts) => Buffer.concat(parts));

const codedTags = [
  ...[av1Track, vp9Track, vp8Track].map((track) => sequenceHeader(track)!),
  unitBody({ ...picture(0, { track: av1Track, keyframe: true }), payload: av1Keyframe }, 0)!,
  unitBody({ ...picture(0, { track: vp9Track, keyframe: true }), payload: [vp9Keyframe] }, 0)!,
  unitBody({ ...picture(0, { track: vp8Track, keyframe: true }), payload: [vp8Keyframe] }, 0)!,
  unitBody({ ...sound(0, { track: ac3Track }), payload: [ac3Frame] }, 0)!,
].map((parts) => Buffer.concat(parts));

const metadata = Buffer.concat([
  writeAmf0('@setDataFrame', 'onMetaData'),
  writeEcmaArray({ videocodecid: 7, audiocodecid: 10, width: 640, stereo: true }),
]);

/** What an encoder sends after the handshake. */
const publishing = Buffer.concat([
  controlMessage(MessageType.setChunkSize, 4096),
  commandMessage(0, 'connect', 1, { app: 'yard', tcUrl: 'rtmp://host/yard' }),
  commandMessage(0, 'createStream', 2, null),
  commandMessage(1, 'publish', 3, null, 'gate-1?token=t', 'live'),
  message(MessageType.data, metadata),
  message(MessageType.data, writeCaptureTime(`${'x'.repeat(16)}@sluice`, 1_790_000_000_000)),
  ...tags.map((tag, i) => message(i === 0 || i === 3 ? MessageType.video : MessageType.audio, tag)),
]);

/** What a server answers to a client, and sends it. */
const played = (purpose: 'Play' | 'Publish') =>
  Buffer.concat([
    Buffer.from([3]),
    Buffer.alloc(2 * 1536),
    controlMessage(MessageType.windowSize, 2000),
    controlMessage(MessageType.peerBandwidth, 2000, 2),
    commandMessage(0, '_result', 1, {}, { level: 'status', code: 'NetConnection.Connect.Success' }),
    commandMessage(0, 'onBWDone', 0, null),
    ...[2, 3, 4].map((id) => commandMessage(0, '_result', id, null, 1)),
    commandMessage(1, 'onStatus', 0, null, { level: 'status', code: `NetStream.${purpose}.Start` }),
    ...tags.map((tag, i) => message(i === 0 || i === 3 ? MessageType.video : MessageType.audio, tag)),
    commandMessage(0, '_error', 1, null, {
      level: 'error',
      code: 'NetConnection.Connect.Rejected',
      description:
        '[ AccessManager.Reject ] : [ authmod=adobe ] : ?reason=needauth&salt=a&challenge=b&opaque=c',
    }),
  ]);

/** Every kind of value of AMF 3, and references. */
const amf3 = Buffer.from(
  [
    '090b01',
    '0a130107617070060b6c697665310a010602',
    '0a02',
    '0d0500ffffffff00000002',
    '11030006036b0407',
    '0c0500ff0801426f000000000000053ff800000000000004bfffffff',
  ].join(''),
  'hex',
);

/** Two messages in one. */
const aggregate = Buffer.concat(
  [0, 40].map((time) => {
    const head = Buffer.alloc(11);
    head[0] = MessageType.audio;
    head.writeUIntBE(2, 1, 3);
    head.writeUIntBE(time, 4, 3);
    return Buffer.concat([head, Buffer.from([0xaf, 1]), Buffer.alloc(4)]);
  }),
);

function message(type: number, body: Buffer): Buffer {
  return writeMessage({ chunkStream: 4, type, streamId: 1, timestamp: 40, payload: [body] }, 4096);
}

/** Refusals by name are what these parsers promise; anything else they throw is a fault. */
function refusing(take: () => void): void {
  try {
    take();
  } catch (error) {
    if (!(error instanceof NamedError)) throw error;
  }
}

function publication(): FlvIngest {
  const clock = new VirtualClock();
  const hub = new Hub({ clock });
  const publisher = { id: 'fuzz', door: 'rtmp', remote: '' };
  const ingest: FlvIngest = new FlvIngest({
    clock,
    publish: (tracks) =>
      hub.publish('fuzz', publisher, tracks, { onClose: () => {}, clocks: () => ingest.clocks }),
  });
  return ingest;
}

/** Parsers of the RTMP door. */
export const rtmpTargets: readonly FuzzTarget[] = [
  {
    name: 'AMF 0',
    seeds: () => [metadata, writeAmf0('onStatus', 0, null, { code: 'x', list: [1, 'a', null] })],
    open: () => ({ take: (input) => refusing(() => void parseAmf0(input)) }),
  },
  {
    name: 'AMF 3',
    seeds: () => [amf3],
    open: () => ({
      take: (input) =>
        refusing(() => {
          const reader = new Amf3Reader(input);
          for (let at = 0; at < input.length; ) at = reader.read(at).end;
        }),
    }),
  },
  {
    name: 'RTMP aggregates',
    seeds: () => [aggregate],
    open: () => ({
      take: (payload) =>
        void splitAggregate({ type: MessageType.aggregate, streamId: 1, timestamp: 0, payload }),
    }),
  },
  {
    name: 'RTMP addresses',
    seeds: () =>
      ['rtmp://u:p@host:1935/app/inst/key?a=b', 'rtmps://[::1]/live'].map((url) => Buffer.from(url)),
    open: () => ({ take: (input) => refusing(() => void parseRtmpTarget(input.toString('latin1'))) }),
  },
  {
    name: 'RTMP answers',
    seeds: () => [played('Play'), played('Publish')],
    open: () => ({
      take: (input) => {
        const clock = new VirtualClock();
        const publish = publication();
        let sent = 0;
        let ends = 0;
        const session = new RtmpClientSession(
          {
            send: () => void sent++,
            started: () => {},
            media: (one) => publish.receive(one),
            again: () => void ends++,
            failed: () => void ends++,
            random: (size) => Buffer.alloc(size),
          },
          {
            clock,
            target: parseRtmpTarget('rtmp://ann:secret@host/app/key'),
            url: 'rtmp://host/app/key',
            purpose: input.length % 2 === 0 ? 'play' : 'publish',
            fourCcs: [],
          },
        );
        session.start();
        const third = Math.ceil(input.length / 3);
        for (let at = 0; at < input.length; at += third) session.receive(input.subarray(at, at + third));
        clock.advance(60_000);
        session.close();
        publish.close('The input is over.');
        if (ends > 1) throw new Error(`The client ended ${ends} times.`);
        if (sent > 100 + input.length) throw new Error(`The client sent ${sent} times.`);
        if (clock.pending > 0) throw new Error('The client left a timer.');
      },
    }),
  },
  {
    name: 'RTMP chunks',
    seeds: () => [publishing],
    // A reader of its own for each: after an error there is no going on.
    open: () => ({
      take: (input) =>
        refusing(() => {
          const reader = new ChunkReader();
          reader.push(input);
          while (reader.next());
        }),
    }),
  },
  {
    name: 'RTMP session',
    seeds: () => [publishing],
    open: () => ({
      take: async (input) => {
        const publish = publication();
        const session = new RtmpServerSession({
          send: () => {},
          publish: async () => {},
          play: async () => () => {},
          media: (one) => publish.receive(one),
          stop: () => {},
          close: () => {},
          hold: () => {},
          random: (size) => Buffer.alloc(size),
          fourCcs: ['hvc1'],
        });
        session.receive(Buffer.concat([Buffer.from([3]), Buffer.alloc(2 * 1536)]));
        session.receive(input);
        await Promise.resolve();
        session.end('The input is over.');
        publish.close('The input is over.');
      },
    }),
  },
  {
    name: 'FLV tags',
    seeds: () => [...tags, ...codedTags],
    open: () => {
      const publish = publication();
      return {
        take: (payload) => {
          refusing(() => void parseVideoTag(payload));
          refusing(() => void parseAudioTag(payload));
          for (const type of [MessageType.video, MessageType.audio, MessageType.data]) {
            refusing(() => publish.receive({ type, timestamp: 0, payload }));
          }
        },
      };
    },
  },
];
