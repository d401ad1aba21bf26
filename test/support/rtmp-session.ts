import type { AmfValue } from '#util/amf-value.ts';
import { parseAmf0 } from '#util/amf0.ts';
import { ChunkReader } from '../../src/protocols/rtmp/chunk-reader.ts';
import { commandMessage, MessageType, type RtmpMessage } from '../../src/protocols/rtmp/message.ts';
import { type RtmpServerHandlers, RtmpServerSession } from '../../src/protocols/rtmp/server-session.ts';
import type { StreamRequest } from '../../src/protocols/rtmp/stream-address.ts';

/** A session after its handshake, and what it said. */
export function openSession(handlers: Partial<RtmpServerHandlers> = {}) {
  const reader = new ChunkReader();
  const said: RtmpMessage[] = [];
  const asked: StreamRequest[] = [];
  const media: RtmpMessage[] = [];
  const closed: string[] = [];
  let shaken = false;
  const session = new RtmpServerSession({
    send: (bytes) => {
      if (!shaken) {
        shaken = true;
        return;
      }
      reader.push(bytes);
      for (let message = reader.next(); message; message = reader.next()) said.push(message);
    },
    publish: async (request) => void asked.push(request),
    play: async (request) => {
      asked.push(request);
      return () => {};
    },
    media: (message) => void media.push(message),
    stop: () => {},
    close: (reason) => void closed.push(reason),
    hold: () => {},
    random: (size) => Buffer.alloc(size),
    fourCcs: ['hvc1', 'Opus'],
    ...handlers,
  });
  session.receive(Buffer.concat([Buffer.from([3]), Buffer.alloc(2 * 1536)]));
  const commands = (): AmfValue[][] =>
    said.filter(({ type }) => type === MessageType.command).map(({ payload }) => parseAmf0(payload));
  const codes = () =>
    commands().flatMap(([name, ...rest]) =>
      name === 'onStatus' || name === '_result'
        ? ((rest.at(-1) as { code?: string } | undefined)?.code ?? [])
        : [],
    );
  const say = (...values: AmfValue[]) => session.receive(commandMessage(0, ...values));
  return { session, said, asked, media, closed, commands, codes, say };
}

/** What promises of the session wait for has happened. */
export const settled = () => new Promise((resolve) => setImmediate(resolve));
