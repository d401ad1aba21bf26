import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ChunkReader } from './chunk-reader.ts';
import { ServerHandshake } from './handshake.ts';
import { controlMessage, MessageType, type RtmpMessage, writeMessage } from './message.ts';

function read(...pieces: readonly Buffer[]): RtmpMessage[] {
  const reader = new ChunkReader();
  const messages: RtmpMessage[] = [];
  for (const piece of pieces) {
    reader.push(piece);
    for (let message = reader.next(); message; message = reader.next()) messages.push(message);
  }
  return messages;
}

const hex = (digits: string) => Buffer.from(digits.replaceAll(' ', ''), 'hex');
const audio = (timestamp: number, ...parts: Buffer[]) => ({
  chunkStream: 4,
  type: MessageType.audio,
  streamId: 1,
  timestamp,
  payload: parts,
});

describe('chunks of RTMP', () => {
  it('give back every message, whatever its size and however the bytes are cut', () => {
    const message = fc.record({
      chunkStream: fc.constantFrom(4, 6),
      type: fc.constantFrom(8, 9, 18),
      streamId: fc.nat(10),
      timestamp: fc.oneof(fc.nat(1000), fc.integer({ min: 0xfffffe, max: 2 ** 32 - 1 })),
      payload: fc.array(fc.uint8Array({ minLength: 1, maxLength: 400 }), { minLength: 1, maxLength: 3 }),
    });
    fc.assert(
      fc.property(
        fc.array(message, { maxLength: 6 }),
        fc.integer({ min: 1, max: 300 }),
        fc.integer({ min: 1, max: 500 }),
        (messages, chunkSize, cut) => {
          const sent = messages.map((one) => ({
            ...one,
            payload: one.payload.map((part) => Buffer.from(part)),
          }));
          const bytes = Buffer.concat([
            controlMessage(MessageType.setChunkSize, chunkSize),
            ...sent.map((one) => writeMessage(one, chunkSize)),
          ]);
          const pieces = [];
          for (let at = 0; at < bytes.length; at += cut) pieces.push(bytes.subarray(at, at + cut));
          expect(read(...pieces)).toEqual(
            sent.map(({ type, streamId, timestamp, payload }) => ({
              type,
              streamId,
              timestamp,
              payload: Buffer.concat(payload),
            })),
          );
        },
      ),
    );
  });

  it('take headers of every type: whole, same stream, same length, none', () => {
    const messages = read(
      hex('04 00000a 000002 08 01000000 aaaa'),
      hex('44 000014 000001 08 bb'),
      hex('84 000015 cc'),
      hex('c4 dd'),
    );
    expect(messages.map(({ timestamp }) => timestamp)).toEqual([10, 30, 51, 72]);
    expect(messages.map(({ payload }) => payload.toString('hex'))).toEqual(['aaaa', 'bb', 'cc', 'dd']);
    expect(messages.every(({ streamId, type }) => streamId === 1 && type === 8)).toBe(true);
  });

  it('take chunk stream ids of one, two and three bytes', () => {
    for (const head of ['06', '00 02', '01 02 01']) {
      expect(read(hex(`${head} 000001 000001 09 01000000 aa`))).toMatchObject([{ timestamp: 1 }]);
    }
  });

  it('take a timestamp of four bytes again on chunks of type 3, and do without it where a sender leaves it out', () => {
    const payload = Buffer.alloc(200, 7);
    const timestamp = 0x0100_0000;
    const proper = writeMessage(audio(timestamp, payload), 128);
    const withoutIt = Buffer.concat([proper.subarray(0, 16 + 128 + 1), proper.subarray(16 + 128 + 5)]);
    for (const bytes of [proper, withoutIt]) expect(read(bytes)).toMatchObject([{ timestamp, payload }]);
  });

  it('forget a message that is aborted, and go on with the next', () => {
    const first = writeMessage(audio(0, Buffer.alloc(200)), 128).subarray(0, 12 + 128);
    const messages = read(first, controlMessage(MessageType.abort, 4), writeMessage(audio(5, hex('ab'))));
    expect(messages).toMatchObject([{ timestamp: 5, payload: hex('ab') }]);
  });

  it.each([
    ['a chunk without a header on a new chunk stream', hex('c4 aa'), /no header/],
    ['a message that is too long', hex('04 000000 ffffff 09 01000000').fill(0xff, 4, 7), /.*/],
    ['a chunk size of 0', controlMessage(MessageType.setChunkSize, 0), /chunk size of 0/],
  ])('refuse %s, or wait without holding memory', (_, bytes, rule) => {
    const reader = new ChunkReader();
    reader.push(bytes);
    try {
      expect(reader.next()).toBeUndefined();
      expect(reader.held).toBeLessThan(64);
    } catch (error) {
      expect(error).toMatchObject({ code: 'RTMP_PROTOCOL_ERROR' });
      expect((error as Error).message).toMatch(rule);
    }
  });

  it('refuse more than 64 chunk streams', () => {
    const headers = Array.from({ length: 65 }, (_, i) =>
      Buffer.concat([Buffer.from([0, i]), hex('000000 000001 08 01000000 aa')]),
    );
    expect(() => read(...headers)).toThrow(expect.objectContaining({ code: 'RTMP_PROTOCOL_ERROR' }));
  });
});

describe('the handshake', () => {
  const open = () => new ServerHandshake((size) => Buffer.alloc(size, 9));

  it('echoes what the client sent, byte by byte too, and gives what stands behind it', () => {
    const c1 = Buffer.alloc(1536, 5);
    const bytes = Buffer.concat([Buffer.from([3]), c1, Buffer.alloc(1536), hex('abcd')]);
    const handshake = open();
    const sent: Buffer[] = [];
    let rest: Buffer | undefined;
    for (const byte of bytes.subarray(0, -2)) {
      const answer = handshake.receive(Buffer.from([byte]));
      if (answer.send) sent.push(answer.send);
      rest = answer.rest;
    }
    expect(rest).toEqual(Buffer.alloc(0));
    expect(sent).toHaveLength(1);
    expect(sent[0]).toHaveLength(1 + 2 * 1536);
    expect(sent[0]!.subarray(-1536)).toEqual(c1);
    expect(open().receive(bytes).rest).toEqual(hex('abcd'));
  });

  it('refuses RTMPE, and HTTP, with a sentence', () => {
    expect(() => open().receive(Buffer.from([6]))).toThrow(/RTMPE/);
    expect(() => open().receive(Buffer.from('GET / HTTP/1.1'))).toThrow(/rtmp:\/\//);
  });
});
