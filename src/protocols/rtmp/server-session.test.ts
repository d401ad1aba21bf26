import { describe, expect, it } from 'vitest';
import { writeAmf0 } from '#util/amf0.ts';
import { NamedError } from '#util/named-error.ts';
import { openSession, settled } from '../../../test/support/rtmp-session.ts';
import { controlMessage, MessageType, writeMessage } from './message.ts';
import { streamRequest } from './stream-address.ts';

describe('an RTMP session', () => {
  it('answers what ffmpeg sends to publish, and hands on what comes after it', async () => {
    const { session, asked, media, commands, codes, say } = openSession();
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
      const { closed, codes, say } = openSession({ publish: refuse, play: refuse });
      say('connect', 1, { app: 'a' });
      say(command, 2, null, '');
      await settled();
      expect(codes().at(-1)).toMatch(/BadName|StreamNotFound/);
      expect(closed).toEqual(['There is no stream "a".']);
    }
  });

  it('acknowledges bytes after each window, and answers pings', () => {
    const { session, said } = openSession();
    session.receive(controlMessage(MessageType.windowSize, 2000));
    const ping = { chunkStream: 2, type: MessageType.userControl, streamId: 0, timestamp: 0 };
    session.receive(writeMessage({ ...ping, payload: [Buffer.from('000600000009', 'hex')] }));
    session.receive(writeMessage({ ...ping, type: MessageType.audio, payload: [Buffer.alloc(2000)] }, 128));
    expect(said.map(({ type }) => type)).toContain(MessageType.acknowledgement);
    expect(said.find(({ type }) => type === MessageType.userControl)!.payload.toString('hex')).toBe(
      '000700000009',
    );
  });

  it('takes commands of AMF 3, which are AMF 0 behind a byte', () => {
    const { session, codes } = openSession();
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
    const early = openSession();
    early.say('play', 1, null, 'a');
    expect(early.closed[0]).toMatch(/before "connect"/);
    const twice = openSession();
    twice.say('connect', 1, { app: 'a' });
    twice.say('play', 2, null, 'a');
    await settled();
    twice.say('publish', 3, null, 'b');
    expect(twice.closed[0]).toMatch(/another one for each stream/);
    const noise = openSession();
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
