import type { AmfValue } from '#util/amf-value.ts';
import { parseAmf0 } from '#util/amf0.ts';
import { VirtualClock } from '#util/clock.ts';
import type { NamedError } from '#util/named-error.ts';
import { ChunkReader } from '../../src/protocols/rtmp/chunk-reader.ts';
import { RtmpClientSession } from '../../src/protocols/rtmp/client-session.ts';
import type { RtmpLogin } from '../../src/protocols/rtmp/login.ts';
import {
  commandMessage,
  controlMessage,
  MessageType,
  type RtmpMessage,
  SENT_CHUNK_SIZE,
} from '../../src/protocols/rtmp/message.ts';
import { parseRtmpTarget } from '../../src/protocols/rtmp/target.ts';

/** A client on virtual time, what it said, and what was told of it. The test is the server. */
export function openClient(
  purpose: 'play' | 'publish',
  { url = 'rtmp://host/live/cam', login }: { url?: string; login?: RtmpLogin } = {},
) {
  const clock = new VirtualClock();
  const reader = new ChunkReader();
  const said: RtmpMessage[] = [];
  const started: number[] = [];
  const media: RtmpMessage[] = [];
  const logins: RtmpLogin[] = [];
  const errors: NamedError[] = [];
  /** Bytes of its handshake that are still to come. */
  let shaking = 1 + 2 * 1536;
  const session = new RtmpClientSession(
    {
      send: (bytes) => {
        const hello = Math.min(shaking, bytes.length);
        shaking -= hello;
        reader.push(bytes.subarray(hello));
        for (let message = reader.next(); message; message = reader.next()) said.push(message);
      },
      started: (stream) => void started.push(stream),
      media: (message) => void media.push(message),
      again: (next) => void logins.push(next),
      failed: (error) => void errors.push(error),
      random: (size) => Buffer.alloc(size, 0xab),
    },
    { clock, target: parseRtmpTarget(url), url, purpose, fourCcs: ['hvc1'], ...(login && { login }) },
  );
  const commands = (): AmfValue[][] =>
    said.filter(({ type }) => type === MessageType.command).map(({ payload }) => parseAmf0(payload));
  /** The transaction of the last command of that name. */
  const idOf = (name: string) => commands().findLast(([one]) => one === name)?.[1] as number;
  const answer = (...values: AmfValue[]) => session.receive(commandMessage(0, ...values));
  const status = (code: string, description = '', level = 'status') =>
    session.receive(commandMessage(1, 'onStatus', 0, null, { level, code, description }));
  return {
    clock,
    session,
    said,
    started,
    media,
    logins,
    errors,
    commands,
    idOf,
    answer,
    status,
    shake: () => {
      session.start();
      session.receive(Buffer.concat([Buffer.from([3]), Buffer.alloc(2 * 1536)]));
      session.receive(controlMessage(MessageType.setChunkSize, SENT_CHUNK_SIZE));
    },
    connect: () =>
      answer('_result', idOf('connect'), {}, { level: 'status', code: 'NetConnection.Connect.Success' }),
    create: (stream = 1) => answer('_result', idOf('createStream'), null, stream),
    reject: (description: string) =>
      answer('_error', idOf('connect'), null, {
        level: 'error',
        code: 'NetConnection.Connect.Rejected',
        description,
      }),
  };
}
