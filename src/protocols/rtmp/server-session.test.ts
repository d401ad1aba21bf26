import { describe, expect, it } from 'vitest';
import { type Amf0Value, parseAmf0, writeAmf0 } from '#util/amf0.ts';
import { NamedError } from '#util/named-error.ts';
import { ChunkReader } from './chunk-reader.ts';
import { commandMessage, controlMessage, MessageType, type RtmpMessage, writeMessage } from './message.ts';
import { type RtmpServerHandlers, RtmpServerSession } from './server-session.ts';
import { type StreamRequest, streamRequest } from './stream-address.ts';

/** A session after its handshake, and what it said. */
function open(handlers: Partial<RtmpServerHandlers> = {}) {
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
    ...handlers,
  });
  session.receive(Buffer.concat([Buffer.from([3]), Buffer.alloc(2 * 1536)]));
  const commands = (): Amf0Value[][] =>
    said.filter(({ type }) => type === MessageType.command).map(({ payload }) => parseAmf0(payload));
  const codes = () =>
    commands().flatMap((values) => (values.at(-1) as { code?: string } | undefined)?.code ?? []);
  const say = (...values: Amf0Value[]) => session.receive(commandMessage(0, ...values));
  return { session, said, asked, media, closed, commands, codes, say };
}

const settled = () => new Promise((resolve) => setImmediate(resolve));

describe('an RTMP session', () => {
  it('answers what ffmpeg sends to publish, and hands on what comes after it', async () => {
    const { session, asked, media, commands, codes, say } = open();
    say('connect', 1, { app: 'yard', tcUrl: 'rtmp://host/yard' });
    say('releaseStream', 2, null, 'gate-1');
    say('FCPublish', 3, null, 'gate-1');
    say('createStream', 4, null);
    say('publish', 5, null, 'gate-1?user=me&pass=x', 'live');
    // Some do not wait for the answer.
    const tag = {
      chunkStream: 4,
      type: MessageType.audio,
      streamId: 1,
      timestamp: 7,
      payload: [Buffer.from([0xaf, 1])],
    };
    session.receive(writeMessage(tag, 128));
    await settled();
    expect(commands()[0]).toMatchObject(['_result', 1, {}, { code: 'NetConnection.Connect.Success' }]);
    expect(commands()).toContainEqual(['_result', 4, null, 1]);
    expect(codes()).toEqual(['NetConnection.Connect.Success', 'NetStream.Publish.Start']);
    expect(asked[0]!.name).toBe('yard/gate-1');
    expect(asked[0]!.query.get('pass')).toBe('x');
    expect(media).toMatchObject([{ type: MessageType.audio, timestamp: 7 }]);
  });

  it('says why it does not publish or play, and closes', async () => {
    for (const command of ['publish', 'play']) {
      const refuse = () => Promise.reject(new NamedError('STREAM_NOT_FOUND', 'There is no stream "a".', 404));
      const { closed, codes, say } = open({ publish: refuse, play: refuse });
      say('connect', 1, { app: 'a' });
      say(command, 2, null, '');
      await settled();
      expect(codes().at(-1)).toMatch(/BadName|StreamNotFound/);
      expect(closed).toEqual(['There is no stream "a".']);
    }
  });

  it('acknowledges bytes after each window, and answers pings', () => {
    const { session, said } = open();
    session.receive(controlMessage(MessageType.windowSize, 2000));
    const ping = { chunkStream: 2, type: MessageType.userControl, streamId: 0, timestamp: 0 };
    session.receive(writeMessage({ ...ping, payload: [Buffer.from('000600000009', 'hex')] }));
    expect(said.map(({ type }) => type)).toContain(MessageType.acknowledgement);
    expect(said.find(({ type }) => type === MessageType.userControl)!.payload.toString('hex')).toBe(
      '000700000009',
    );
  });

  it('takes commands of AMF 3, which are AMF 0 behind a byte', () => {
    const { session, codes } = open();
    const payload = [Buffer.from([0]), writeAmf0('connect', 1, { app: 'a', objectEncoding: 3 })];
    session.receive(
      writeMessage(
        { chunkStream: 3, type: MessageType.commandAmf3, streamId: 0, timestamp: 0, payload },
        128,
      ),
    );
    expect(codes()).toEqual(['NetConnection.Connect.Success']);
  });

  it('ends what asks before it connected, asks twice, or is no RTMP', async () => {
    const early = open();
    early.say('play', 1, null, 'a');
    expect(early.closed[0]).toMatch(/before "connect"/);
    const twice = open();
    twice.say('connect', 1, { app: 'a' });
    twice.say('play', 2, null, 'a');
    await settled();
    twice.say('publish', 3, null, 'b');
    expect(twice.closed[0]).toMatch(/another one for each stream/);
    const noise = open();
    noise.session.receive(Buffer.from('ffffffffffffffff', 'hex'));
    expect(noise.closed[0]).toMatch(/does not speak RTMP/);
  });
});

describe('the name of a stream in RTMP', () => {
  it.each([
    ['live', '', 'live'],
    ['live/', undefined, 'live'],
    ['yard', 'gate-1', 'yard/gate-1'],
    ['yard/gate-1', '', 'yard/gate-1'],
    ['a/b', 'c', 'a/b/c'],
    ['live?token=t', 'cam', 'live/cam'],
    ['live', 'cam?token=t', 'live/cam'],
    ['live?user=u&pass=p', 'cam?token=t', 'live/cam'],
    ['', 'cam', 'cam'],
  ])('is %s and %s → %s', (app, path, name) => {
    expect(streamRequest(app, path ?? '').name).toBe(name);
  });

  it('comes without its query, from wherever that stands', () => {
    expect(streamRequest('live?token=t', 'cam').query.get('token')).toBe('t');
    expect(streamRequest('live', 'cam?user=u?pass=p').query.get('pass')).toBe('p');
  });
});
