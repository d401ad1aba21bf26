import { parseAudioTag, parseVideoTag } from '#containers/flv/tags.ts';
import { sequenceHeader, unitBody } from '#containers/flv/write.ts';
import { Hub } from '#hub/hub.ts';
import { ChunkReader } from '#protocols/rtmp/chunk-reader.ts';
import { commandMessage, controlMessage, MessageType, writeMessage } from '#protocols/rtmp/message.ts';
import { RtmpServerSession } from '#protocols/rtmp/server-session.ts';
import { RtmpPublishing } from '#servers/rtmp/to-stream.ts';
import { parseAmf0, writeAmf0, writeEcmaArray } from '#util/amf0.ts';
import { VirtualClock } from '#util/clock.ts';
import { NamedError } from '#util/named-error.ts';
import { aacTrack, h264Track, opusTrack, picture, sound } from '../support/fmp4-units.ts';
import type { FuzzTarget } from './run.ts';

const tags = [
  sequenceHeader(h264Track)!,
  sequenceHeader(aacTrack)!,
  sequenceHeader(opusTrack)!,
  unitBody(picture(0, { keyframe: true }), 80)!,
  unitBody(sound(0), 0)!,
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
  ...tags.map((tag, i) => message(i === 0 || i === 3 ? MessageType.video : MessageType.audio, tag)),
]);

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

function publication(): RtmpPublishing {
  const clock = new VirtualClock();
  return new RtmpPublishing({
    hub: new Hub({ clock }),
    name: 'fuzz',
    publisher: { id: 'fuzz', door: 'rtmp', remote: '' },
    clock,
    onClose: () => {},
  });
}

/** Parsers of the RTMP door. */
export const rtmpTargets: readonly FuzzTarget[] = [
  {
    name: 'AMF 0',
    seeds: () => [metadata, writeAmf0('onStatus', 0, null, { code: 'x', list: [1, 'a', null] })],
    open: () => ({ take: (input) => refusing(() => void parseAmf0(input)) }),
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
    seeds: () => tags,
    open: () => {
      const publish = publication();
      return {
        take: (payload) => {
          refusing(() => void parseVideoTag(payload));
          refusing(() => void parseAudioTag(payload));
          for (const type of [MessageType.video, MessageType.audio, MessageType.data]) {
            refusing(() => publish.receive({ type, streamId: 1, timestamp: 0, payload }));
          }
        },
      };
    },
  },
];
