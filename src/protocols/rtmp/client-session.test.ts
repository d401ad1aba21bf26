import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { NamedError } from '#util/named-error.ts';
import { openClient } from '../../../test/support/rtmp-client.ts';
import { commandMessage, MessageType, userControlMessage, writeMessage } from './message.ts';

const tag = (type: number, timestamp: number) =>
  writeMessage({ chunkStream: 4, type, streamId: 1, timestamp, payload: [Buffer.from([0xaf, 1])] }, 128);

describe('an RTMP client', () => {
  it('says what ffmpeg says to publish, and begins when the server takes it', () => {
    const client = openClient('publish', { url: 'rtmp://host:1936/live/cam?token=t' });
    client.shake();
    client.connect();
    client.create(3);
    expect(client.started).toEqual([]);
    client.status('NetStream.Publish.Start');
    expect(client.started).toEqual([3]);
    expect(client.commands().map(([name]) => name)).toEqual([
      'connect',
      'releaseStream',
      'FCPublish',
      'createStream',
      'publish',
    ]);
    expect(client.commands()[0]![2]).toMatchObject({
      app: 'live',
      tcUrl: 'rtmp://host:1936/live',
      type: 'nonprivate',
      objectEncoding: 0,
      fourCcList: ['hvc1'],
    });
    expect(client.commands().at(-1)!.slice(2)).toEqual([null, 'cam?token=t', 'live']);
    expect(client.said.at(-1)!.streamId).toBe(3);
    expect(client.clock.pending).toBe(0);
  });

  it('says what ffmpeg says to play, and hands on what comes', () => {
    const client = openClient('play');
    client.shake();
    client.connect();
    client.create();
    client.status('NetStream.Play.Reset');
    client.status('NetStream.Play.Start');
    client.session.receive(tag(MessageType.audio, 7));
    expect(client.commands().map(([name]) => name)).toEqual(['connect', 'createStream', 'play']);
    expect(client.started).toEqual([1]);
    expect(client.media).toMatchObject([{ type: MessageType.audio, timestamp: 7 }]);
    // What it wants to be sent ahead.
    expect(client.said.at(-1)).toMatchObject({ type: MessageType.userControl });
  });

  it('tells answers apart by their transaction, as servers give them in another order, or not at all', () => {
    const client = openClient('publish');
    client.shake();
    client.connect();
    client.answer('onBWDone', 0, null);
    client.create(1);
    // After the stream was made, and one of them as an error.
    client.answer('_error', client.idOf('releaseStream'), null, {
      level: 'error',
      code: 'NetConnection.Call.Failed',
    });
    client.answer('onFCPublish', 0, null, { code: 'NetStream.Publish.Start' });
    expect(client.started).toEqual([]);
    client.status('NetStream.Publish.Start');
    client.answer('_result', client.idOf('FCPublish'), null);
    expect(client.started).toEqual([1]);
    expect(client.errors).toEqual([]);
    expect(client.commands().some(([name]) => name === '_checkbw')).toBe(true);
  });

  it('answers pings, acknowledges bytes, and answers what the server calls', () => {
    const client = openClient('play');
    client.shake();
    client.connect();
    client.session.receive(userControlMessage(6, 99));
    client.answer('_onbwcheck', 17, null, 0);
    expect(
      client.said.some(
        ({ type, payload }) => type === MessageType.userControl && payload.readUInt32BE(2) === 99,
      ),
    ).toBe(true);
    expect(client.commands().at(-1)).toEqual(['_result', 17, null, undefined]);
  });

  it('takes media that begin before the server says so, or without it', () => {
    const client = openClient('play');
    client.shake();
    client.connect();
    client.create();
    client.session.receive(tag(MessageType.video, 0));
    client.status('NetStream.Play.Start');
    expect(client.started).toEqual([1]);
    expect(client.media).toHaveLength(1);
  });

  it.each([
    ['publish', 'NetStream.Publish.BadName', 'somebody publishes it', 'RTMP_REFUSED'],
    ['publish', 'NetStream.Publish.Denied', 'not here', 'RTMP_UNAUTHORIZED'],
    ['play', 'NetStream.Play.StreamNotFound', 'there is none', 'RTMP_NOT_FOUND'],
    ['play', 'NetStream.Play.StreamNotFound', 'a user and a password are wanted', 'RTMP_UNAUTHORIZED'],
    ['play', 'NetStream.Play.Failed', '', 'RTMP_REFUSED'],
  ] as const)('says why it may not %s, by %s: "%s"', (purpose, code, description, error) => {
    const client = openClient(purpose);
    client.shake();
    client.connect();
    client.create();
    // Some servers call no status an error but by its code.
    client.status(code, description, 'status');
    expect(client.errors).toMatchObject([{ code: error }]);
    expect(client.errors[0]!.message).toContain(description || 'NetStream.Play.Failed');
    expect(client.started).toEqual([]);
    expect(client.clock.pending).toBe(0);
  });

  it('gives the server’s own words for a refused application or stream, without what nobody may see', () => {
    const client = openClient('play');
    client.shake();
    client.reject('[ Server.Reject ] : \u0007no such app rtmp://ann:secret@host/live?pass=secret');
    expect(client.errors).toMatchObject([{ code: 'RTMP_REFUSED' }]);
    expect(client.errors[0]!.message).toContain('[ Server.Reject ]');
    expect(client.errors[0]!.message).not.toMatch(/secret|\p{Cc}/u);
    const other = openClient('play');
    other.shake();
    other.connect();
    other.answer('_error', other.idOf('createStream'), null, 'too many streams');
    expect(other.errors[0]!.message).toContain('too many streams');
  });

  it.each([
    ['the handshake', 0],
    ['connect', 1],
    ['createStream', 2],
    ['play', 3],
  ])('gives up where %s is not answered', (what, steps) => {
    const client = openClient('play');
    if (steps === 0) client.session.start();
    else client.shake();
    if (steps > 1) client.connect();
    if (steps > 2) client.create();
    client.clock.advance(4999);
    expect(client.errors).toEqual([]);
    client.clock.advance(10_001);
    expect(client.errors).toMatchObject([{ code: 'RTMP_TIMEOUT' }]);
    expect(client.errors[0]!.message).toContain(`did not answer ${what} within`);
  });

  it('notices within 10 s that media stop, and not while they come', () => {
    const client = openClient('play');
    client.shake();
    client.connect();
    client.create();
    client.status('NetStream.Play.Start');
    for (let n = 0; n < 30; n++) {
      client.session.receive(tag(MessageType.audio, n * 1000));
      client.clock.advance(1000);
    }
    expect(client.errors).toEqual([]);
    client.clock.advance(9000);
    expect(client.errors).toMatchObject([{ code: 'RTMP_NO_MEDIA' }]);
    expect(client.clock.pending).toBe(0);
  });

  it.each([
    [
      'a status',
      commandMessage(1, 'onStatus', 0, null, { level: 'status', code: 'NetStream.Play.UnpublishNotify' }),
    ],
    ['the end of the stream', userControlMessage(1, 1)],
    ['a command', commandMessage(0, 'close', 0, null)],
  ])('ends where the server ends the stream by %s', (_, bytes) => {
    const client = openClient('play');
    client.shake();
    client.connect();
    client.create();
    client.status('NetStream.Play.Start');
    client.session.receive(bytes);
    expect(client.errors).toMatchObject([{ code: 'RTMP_ENDED' }]);
  });

  it('says goodbye when it is closed, once, and nothing is told any more', () => {
    const client = openClient('publish');
    client.shake();
    client.connect();
    client.create(5);
    client.status('NetStream.Publish.Start');
    client.session.close();
    client.session.close();
    const [unpublish, remove] = client.commands().slice(-2);
    expect(unpublish).toMatchObject(['FCUnpublish', expect.any(Number), null, 'cam']);
    expect(remove).toMatchObject(['deleteStream', expect.any(Number), null, 5]);
    client.status('NetStream.Publish.BadName', 'late', 'error');
    expect(client.errors).toEqual([]);
  });

  it('says that it talks to another kind of server', () => {
    const client = openClient('play');
    client.session.start();
    client.session.receive(Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n'));
    expect(client.errors).toMatchObject([{ code: 'RTMP_PROTOCOL_ERROR' }]);
    expect(client.errors[0]!.message).toContain('HTTP');
  });
});

describe('an RTMP client that is asked who it is', () => {
  const url = 'rtmp://ann:p%40ss@host/live/cam';
  const digest = (text: string) => createHash('md5').update(text).digest('base64');

  it('answers authmod=adobe: by its name first, then by a digest of salt, password and challenge', () => {
    const first = openClient('publish', { url });
    first.shake();
    first.reject('[ AccessManager.Reject ] : [ code=403 need auth; authmod=adobe ] : ');
    expect(first.errors).toEqual([]);
    const second = openClient('publish', { url, login: first.logins[0]! });
    second.shake();
    expect(second.commands()[0]![2]).toMatchObject({ app: 'live?authmod=adobe&user=ann' });
    second.reject(
      '[ AccessManager.Reject ] : [ authmod=adobe ] : ?reason=needauth&user=ann&salt=s+/=&challenge=Y2g=&opaque=b3A=',
    );
    const third = openClient('publish', { url, login: second.logins[0]! });
    third.shake();
    const nonce = 'abababab';
    const response = digest(`${digest('anns+/=p@ss')}b3A=${nonce}`);
    expect(third.commands()[0]![2]).toMatchObject({
      app: `live?authmod=adobe&user=ann&challenge=${nonce}&response=${response}&opaque=b3A=`,
    });
    third.connect();
    third.create();
    third.status('NetStream.Publish.Start');
    expect(third.started).toEqual([1]);
  });

  it('does not go on with a password that was refused', () => {
    const login = {
      app: '?authmod=adobe&user=ann&challenge=1&response=2',
      key: '',
      step: 'answered',
    } as const;
    const client = openClient('publish', { url, login });
    client.shake();
    client.reject('[ AccessManager.Reject ] : [ authmod=adobe ] : ?reason=authfailed&opaque=x');
    expect(client.logins).toEqual([]);
    expect(client.errors).toMatchObject([{ code: 'RTMP_UNAUTHORIZED' }]);
    expect(client.errors[0]!.message).toContain('Check the user and the password');
  });

  it('puts user and password into the query where the server refuses without a challenge, and tries that once', () => {
    const first = openClient('play', { url: `${url}?x=1` });
    first.shake();
    first.connect();
    first.create();
    first.status('NetStream.Play.StreamNotFound', 'log in', 'error');
    const second = openClient('play', { url: `${url}?x=1`, login: first.logins[0]! });
    second.shake();
    second.connect();
    second.create();
    expect(second.commands().at(-1)!.slice(2)).toEqual([null, 'cam?x=1&user=ann&pass=p%40ss']);
    second.status('NetStream.Play.StreamNotFound', 'log in', 'error');
    expect(second.logins).toEqual([]);
    expect(second.errors).toMatchObject([{ code: 'RTMP_UNAUTHORIZED' }]);
  });

  it('says of a server that closes without a word what it was asked, as nginx-rtmp does for unknown applications', () => {
    const error = new NamedError('RTMP_UNREACHABLE', 'The server closed the connection.', 502);
    const client = openClient('play');
    client.shake();
    client.session.disconnected(error);
    expect(client.errors).toMatchObject([{ code: 'RTMP_REFUSED' }]);
    expect(client.errors[0]!.message).toContain('at "connect" without saying why');
    const started = openClient('play');
    started.shake();
    started.connect();
    started.create();
    started.status('NetStream.Play.Start');
    started.session.disconnected(error);
    expect(started.errors[0]!.message).toContain('at "play" without saying why');
    const early = openClient('play');
    early.session.start();
    early.session.disconnected(error);
    expect(early.errors).toEqual([error]);
  });

  it('does so too where the server says nothing and closes, and not when it closes later', () => {
    const error = new NamedError('RTMP_UNREACHABLE', 'The server closed the connection.', 502);
    const first = openClient('play', { url });
    first.shake();
    first.session.disconnected(error);
    expect(first.logins).toMatchObject([{ step: 'query', key: 'user=ann&pass=p%40ss' }]);
    expect(first.errors).toEqual([]);
    const second = openClient('play', { url });
    second.shake();
    second.connect();
    second.create();
    second.status('NetStream.Play.Start');
    second.session.receive(tag(MessageType.audio, 0));
    second.session.disconnected(error);
    expect(second.errors).toEqual([error]);
  });

  it('shows no password to a server that asks for another kind of answer', () => {
    const client = openClient('publish', { url });
    client.shake();
    client.reject('[ AccessManager.Reject ] : [ code=403 need auth; authmod=llnw ] : ');
    expect(client.logins).toEqual([]);
    expect(client.errors).toMatchObject([{ code: 'RTMP_UNAUTHORIZED' }]);
  });

  it('without a name says how to give one', () => {
    const client = openClient('publish');
    client.shake();
    client.reject('[ AccessManager.Reject ] : [ code=403 need auth; authmod=adobe ] : ');
    expect(client.errors[0]!.message).toContain('rtmp://user:password@host');
  });
});
