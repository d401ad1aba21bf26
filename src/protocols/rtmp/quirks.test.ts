import { describe, expect, it } from 'vitest';
import { writeAmf0, writeEcmaArray } from '#util/amf0.ts';
import { openSession, settled } from '../../../test/support/rtmp-session.ts';
import { ChunkReader } from './chunk-reader.ts';
import { commandMessage, controlMessage, MessageType, type RtmpMessage, writeMessage } from './message.ts';

/** What programs do that others do not: each test has the name of who does it. */

const hex = (digits: string) => Buffer.from(digits.replaceAll(' ', ''), 'hex');

const media = (type: number, timestamp: number, payload: Buffer, streamId = 1) => ({
  chunkStream: 4,
  type,
  streamId,
  timestamp,
  payload: [payload],
});

function read(...pieces: readonly Buffer[]): RtmpMessage[] {
  const reader = new ChunkReader();
  const messages: RtmpMessage[] = [];
  for (const piece of pieces) {
    reader.push(piece);
    for (let message = reader.next(); message; message = reader.next()) messages.push(message);
  }
  return messages;
}

describe('encoders and players over RTMP', () => {
  it('OBS: releaseStream, FCPublish and _checkbw are answered, user and password stand in the stream key', async () => {
    const { asked, commands, codes, say } = openSession();
    say('connect', 1, { app: 'live', type: 'nonprivate', flashVer: 'FMLE/3.0 (compatible; FMSc/1.0)' });
    say('releaseStream', 2, null, 'cam?user=ann&pass=s3cret');
    say('FCPublish', 3, null, 'cam?user=ann&pass=s3cret');
    say('createStream', 4, null);
    say('_checkbw', 5, null);
    say('publish', 6, null, 'cam?user=ann&pass=s3cret', 'live');
    await settled();
    const answered = commands().filter(([name]) => name === '_result');
    expect(answered.map(([, id]) => id)).toEqual([1, 2, 3, 4, 5]);
    expect(codes().at(-1)).toBe('NetStream.Publish.Start');
    const [request] = asked;
    expect(request).toMatchObject({ name: 'live/cam' });
    expect(Object.fromEntries(request!.query)).toEqual({ user: 'ann', pass: 's3cret' });
    expect(JSON.stringify(commands())).not.toContain('s3cret');
  });

  it('FMLE and hardware encoders: onFCPublish is said, and onFCUnpublish when they end', async () => {
    const stopped: string[] = [];
    const { commands, say } = openSession({ stop: (reason) => void stopped.push(reason) });
    say('connect', 1, { app: 'live' });
    say('FCPublish', 2, null, 'cam');
    say('createStream', 3, null);
    say('publish', 4, null, 'cam', 'live');
    await settled();
    say('FCUnpublish', 5, null, 'cam');
    say('closeStream', 0, null);
    say('deleteStream', 6, null, 1);
    const names = commands().map(([name]) => name);
    expect(names).toContain('onFCPublish');
    expect(names.slice(-2)).toEqual(['_result', 'onFCUnpublish']);
    expect(stopped).toHaveLength(1);
  });

  it('Larix: says its FourCCs, and is told ours in the same words', () => {
    const { commands, say } = openSession();
    say('connect', 1, {
      app: 'live',
      fourCcList: ['hvc1', 'av01'],
      videoFourCcInfoMap: { '*': 2 },
      capsEx: 15,
    });
    const [, , properties] = commands()[0]!;
    expect(properties).toMatchObject({
      fourCcList: ['hvc1', 'Opus'],
      videoFourCcInfoMap: { hvc1: 4 },
      capsEx: 0,
    });
    expect(properties).not.toHaveProperty('audioFourCcInfoMap');
  });

  it('old encoders are told nothing of FourCCs', () => {
    const { commands, say } = openSession();
    say('connect', 1, { app: 'live' });
    expect(Object.keys(commands()[0]![2] as object)).toEqual(['fmsVer', 'capabilities']);
  });

  it('GStreamer rtmp2sink: asks for bandwidth and windows of its own, ends by FCUnpublish and deleteStream', async () => {
    const stopped: string[] = [];
    const {
      session,
      said,
      media: received,
      closed,
      say,
    } = openSession({
      stop: (why) => void stopped.push(why),
    });
    session.receive(controlMessage(MessageType.setChunkSize, 4096));
    say('connect', 1, { app: 'gst', tcUrl: 'rtmp://127.0.0.1:1935/gst', fpad: false, capabilities: 15 });
    session.receive(controlMessage(MessageType.windowSize, 2_500_000));
    session.receive(controlMessage(MessageType.peerBandwidth, 2_500_000, 2));
    say('releaseStream', 2, null, 'cam');
    say('FCPublish', 3, null, 'cam');
    say('createStream', 4, null);
    say('publish', 5, null, 'cam', 'live');
    await settled();
    const metadata = Buffer.concat([
      writeAmf0('@setDataFrame', 'onMetaData'),
      writeEcmaArray({ width: 320 }),
    ]);
    session.receive(writeMessage(media(MessageType.data, 0, metadata), 4096));
    session.receive(writeMessage(media(MessageType.video, 0, Buffer.alloc(9000, 7)), 4096));
    say('FCUnpublish', 6, null, 'cam');
    say('deleteStream', 7, null, 1);
    expect(received.map(({ type, payload }) => [type, payload.length])).toEqual([
      [MessageType.data, metadata.length],
      [MessageType.video, 9000],
    ]);
    // One at connect, one for the bandwidth that was asked for.
    expect(said.filter(({ type }) => type === MessageType.windowSize)).toHaveLength(2);
    expect(stopped).toHaveLength(1);
    expect(closed).toEqual([]);
  });

  it('ffmpeg -rtmp_live live: plays with the start of live streams, and sets a buffer', async () => {
    const { session, asked, codes, say } = openSession();
    say('connect', 1, { app: 'yard', flashVer: 'LNX 9,0,124,2' });
    say('createStream', 2, null);
    say('getStreamLength', 3, null, 'gate-1');
    say('play', 4, null, 'gate-1', -1000);
    const buffer = hex('0003 00000001 00000bb8');
    session.receive(writeMessage({ ...media(MessageType.userControl, 1, buffer, 0), chunkStream: 2 }));
    await settled();
    expect(asked.map(({ name }) => name)).toEqual(['yard/gate-1']);
    expect(codes().slice(-2)).toEqual(['NetStream.Play.Reset', 'NetStream.Play.Start']);
  });

  it.each([
    ['a stream key with slashes', 'live', 'yard/gate-1/main', 'live/yard/gate-1/main'],
    ['a stream key with slashes around it', 'live/', '/cam/', 'live/cam'],
    ['an application with an instance', 'live/east', 'cam', 'live/east/cam'],
    ['the instance that has no name', 'live/_definst_', 'cam', 'live/cam'],
    ['the type of a file', 'live', 'mp4:cam', 'live/cam'],
  ])('may write %s', async (_, app, key, name) => {
    const { asked, say } = openSession();
    say('connect', 1, { app });
    say('publish', 2, null, key, 'live');
    await settled();
    expect(asked.map((one) => one.name)).toEqual([name]);
  });

  it('Flash and its likes: speak AMF 3 in commands and data, and are answered that they may', async () => {
    const { session, asked, codes, commands, media: received } = openSession();
    const amf3 = (type: number, ...parts: Buffer[]) =>
      session.receive(writeMessage({ ...media(type, 0, Buffer.concat(parts), 0), chunkStream: 3 }, 128));
    // Name and transaction are AMF 0, the object is AMF 3: { app: "live", objectEncoding: 3 }.
    const object = hex('11 0a 0b 01 07 617070 06 09 6c697665 1d 6f626a656374456e636f64696e67 04 03 01');
    amf3(MessageType.commandAmf3, hex('00'), writeAmf0('connect', 1), object);
    expect(commands()[0]![3]).toMatchObject({ objectEncoding: 3 });
    amf3(MessageType.commandAmf3, hex('00'), writeAmf0('createStream', 2, null));
    // The key is a string of AMF 3, and the byte in front is missing.
    amf3(MessageType.commandAmf3, writeAmf0('publish', 3, null), hex('11 06 07 63616d'), writeAmf0('live'));
    await settled();
    amf3(MessageType.dataAmf3, hex('00'), writeAmf0('@setDataFrame', 'onMetaData', { width: 640 }));
    expect(codes().at(-1)).toBe('NetStream.Publish.Start');
    expect(asked).toMatchObject([{ name: 'live/cam' }]);
    const expected = writeAmf0('@setDataFrame', 'onMetaData', { width: 640 });
    expect(received).toMatchObject([{ type: MessageType.data, payload: expected }]);
  });

  it('Adobe’s encoders: several messages in one, with times that count from the first', async () => {
    const { session, media: received, say } = openSession();
    say('connect', 1, { app: 'live' });
    say('publish', 2, null, 'cam', 'live');
    await settled();
    const part = (type: number, time: number, body: Buffer) => {
      const head = Buffer.alloc(11);
      head[0] = type;
      head.writeUIntBE(body.length, 1, 3);
      head.writeUIntBE(time % 2 ** 24, 4, 3);
      head[7] = Math.floor(time / 2 ** 24);
      const size = Buffer.alloc(4);
      size.writeUInt32BE(11 + body.length);
      return Buffer.concat([head, body, size]);
    };
    const whole = Buffer.concat([
      part(MessageType.video, 2 ** 24 + 10, hex('2701')),
      part(MessageType.audio, 2 ** 24 + 30, hex('af01')),
      part(MessageType.audio, 2 ** 24 + 53, hex('af01')).subarray(0, 5),
    ]);
    session.receive(writeMessage(media(MessageType.aggregate, 5000, whole), 128));
    expect(received).toMatchObject([
      { type: MessageType.video, timestamp: 5000, payload: hex('2701'), streamId: 1 },
      { type: MessageType.audio, timestamp: 5020, payload: hex('af01') },
    ]);
  });
});

describe('chunks of those who use what hardly anybody uses', () => {
  it('may change their size in the midst of a message', () => {
    const payload = Buffer.from(Array.from({ length: 300 }, (_, i) => i % 251));
    const whole = writeMessage({ ...media(MessageType.video, 40, payload), chunkStream: 6 }, 100);
    const first = Buffer.concat([controlMessage(MessageType.setChunkSize, 100), whole.subarray(0, 12 + 100)]);
    const size = controlMessage(MessageType.setChunkSize, 200);
    const rest = Buffer.concat([hex('c6'), payload.subarray(100)]);
    expect(read(first, size, rest)).toMatchObject([{ timestamp: 40, payload }]);
  });

  it('may come in turn with those of another message', () => {
    const picture = writeMessage(
      { ...media(MessageType.video, 40, Buffer.alloc(250, 1)), chunkStream: 6 },
      128,
    );
    const sound = writeMessage(media(MessageType.audio, 41, Buffer.alloc(10, 2)), 128);
    const cut = 12 + 128;
    const messages = read(picture.subarray(0, cut), sound, picture.subarray(cut));
    expect(messages.map(({ type, timestamp }) => [type, timestamp])).toEqual([
      [MessageType.audio, 41],
      [MessageType.video, 40],
    ]);
  });

  it.each([
    ['with', true],
    ['without', false],
  ])('may repeat a timestamp of four bytes or not: %s it', (_, repeats) => {
    const payload = Buffer.alloc(300, 7);
    const proper = writeMessage(media(MessageType.audio, 0x0123_4567, payload), 128);
    const headers = [16 + 128, 16 + 128 + 5 + 128];
    const bytes = repeats
      ? proper
      : Buffer.concat([
          proper.subarray(0, headers[0]! + 1),
          proper.subarray(headers[0]! + 5, headers[1]! + 1),
          proper.subarray(headers[1]! + 5),
        ]);
    // The next message is found, too.
    const next = writeMessage(media(MessageType.audio, 0x0123_4580, hex('ab')), 128);
    expect(read(bytes, next)).toMatchObject([
      { timestamp: 0x0123_4567, payload },
      { timestamp: 0x0123_4580, payload: hex('ab') },
    ]);
  });

  it('may begin a message with no more than the difference of four bytes of the one before', () => {
    const messages = read(
      hex('04 00000a 000001 08 01000000 aa'),
      // A difference of 2^24 + 1 ms, twice: said, and implied.
      hex('44 ffffff 000001 08 01000001 bb'),
      hex('c4 01000001 cc'),
    );
    expect(messages.map(({ timestamp }) => timestamp)).toEqual([10, 10 + 0x100_0001, 10 + 2 * 0x100_0001]);
  });

  it('pass from three to four bytes of time, and over the wrap of all four', () => {
    const times = [0xff_fffe, 0xff_ffff, 0x100_0000, 2 ** 32 - 1, 2 ** 32 + 5];
    const bytes = times.map((time) => writeMessage(media(MessageType.audio, time, hex('aa'))));
    expect(read(...bytes).map(({ timestamp }) => timestamp)).toEqual([
      0xff_fffe,
      0xff_ffff,
      0x100_0000,
      2 ** 32 - 1,
      5,
    ]);
  });

  it('are acknowledged at half the window of the other side, so that one who heeds it never has to wait', () => {
    const { session, said } = openSession();
    session.receive(controlMessage(MessageType.windowSize, 5000));
    const acknowledged = () =>
      said
        .filter(({ type }) => type === MessageType.acknowledgement)
        .map(({ payload }) => payload.readUInt32BE(0));
    const kilobyte = writeMessage(media(MessageType.audio, 0, Buffer.alloc(988)), 2000);
    session.receive(controlMessage(MessageType.setChunkSize, 2000));
    for (let n = 0; n < 2; n++) session.receive(kilobyte);
    expect(acknowledged()).toEqual([]);
    for (let n = 0; n < 8; n++) session.receive(kilobyte);
    // The two control messages have 16 bytes each.
    expect(acknowledged()).toEqual([3032, 6032, 9032]);
  });

  it('are let go of when their message is aborted, which takes no other with it', () => {
    const picture = writeMessage(
      { ...media(MessageType.video, 40, Buffer.alloc(250, 1)), chunkStream: 6 },
      128,
    );
    const sound = writeMessage(media(MessageType.audio, 41, Buffer.alloc(250, 2)), 128);
    const cut = 12 + 128;
    const messages = read(
      picture.subarray(0, cut),
      sound.subarray(0, cut),
      controlMessage(MessageType.abort, 6),
      sound.subarray(cut),
      commandMessage(0, 'connect', 1),
    );
    expect(messages.map(({ type }) => type)).toEqual([MessageType.audio, MessageType.command]);
  });
});
