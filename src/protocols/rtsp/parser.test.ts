import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { NamedError } from '#util/named-error.ts';
import { RtspHeaders } from './headers.ts';
import { type RtspMessage, serializeInterleaved, serializeRequest, serializeResponse } from './message.ts';
import { RtspParser } from './parser.ts';

function parse(...chunks: (string | Buffer)[]): RtspMessage[] {
  const parser = new RtspParser();
  const messages: RtspMessage[] = [];
  for (const chunk of chunks) {
    parser.push(typeof chunk === 'string' ? Buffer.from(chunk, 'latin1') : chunk);
    for (let message = parser.next(); message; message = parser.next()) messages.push(message);
  }
  return messages;
}

describe('RtspParser', () => {
  test('reads a request with its headers and its body', () => {
    const [message] = parse('ANNOUNCE rtsp://h/live RTSP/1.0\r\nCSeq: 2\r\nContent-Length: 4\r\n\r\nv=0\n');
    expect(message).toMatchObject({
      kind: 'request',
      method: 'ANNOUNCE',
      uri: 'rtsp://h/live',
      version: 'RTSP/1.0',
    });
    expect(message?.kind === 'request' && message.headers.get('cseq')).toBe('2');
    expect(message?.kind === 'request' && message.body.toString()).toBe('v=0\n');
  });

  test('reads a response whose reason phrase is missing', () => {
    expect(parse('RTSP/1.0 200\r\nCSeq: 1\r\n\r\n')).toMatchObject([
      { kind: 'response', status: 200, reason: '' },
    ]);
  });

  test('takes frames out of the midst of a response, as cameras send that write both at a time', () => {
    const frame = serializeInterleaved(0, Buffer.from('a\r\n\r\nb'));
    const bytes = Buffer.concat([
      Buffer.from('RTSP/1.0 200 OK\r\n'),
      frame,
      Buffer.from('CSeq: 2\r\nContent-Type: application/sdp\r\nContent-Length: 4\r\n\r\n'),
      frame,
      Buffer.from('v=0\n'),
      frame,
    ]);
    for (let cut = 0; cut <= bytes.length; cut++) {
      const messages = parse(bytes.subarray(0, cut), bytes.subarray(cut));
      expect(messages.map(({ kind }) => kind)).toEqual([
        'interleaved',
        'interleaved',
        'response',
        'interleaved',
      ]);
      expect(messages[1]).toMatchObject({ channel: 0, payload: Buffer.from('a\r\n\r\nb') });
      expect(messages[2]).toMatchObject({ status: 200, body: Buffer.from('v=0\n') });
    }
  });

  test('keeps requests, responses and frames of one connection in their order, however the bytes are cut', () => {
    const bytes = Buffer.concat([
      serializeRequest('PLAY', 'rtsp://h/live', RtspHeaders.from([['CSeq', '4']])),
      serializeInterleaved(0, Buffer.from('OPTIONS rtsp://not/a RTSP/1.0\r\n\r\n')),
      serializeResponse(200, RtspHeaders.from([['CSeq', '4']]), Buffer.from('$body')),
      serializeInterleaved(255, Buffer.alloc(65_535, 7)),
      serializeInterleaved(1, Buffer.alloc(0)),
    ]);
    const whole = parse(bytes);
    expect(whole.map((message) => message.kind)).toEqual([
      'request',
      'interleaved',
      'response',
      'interleaved',
      'interleaved',
    ]);
    fc.assert(
      fc.property(fc.array(fc.nat(bytes.length), { maxLength: 40 }), (cuts) => {
        const edges = [0, ...cuts.sort((a, b) => a - b), bytes.length];
        const chunks = edges.slice(1).map((end, i) => bytes.subarray(edges[i], end));
        expect(parse(...chunks)).toEqual(whole);
      }),
      { numRuns: 50 },
    );
  });

  test('accepts lines that end in LF alone, folded headers, and names in any case with spaces around the colon', () => {
    const [message] = parse(
      'setup  rtsp://h/my stream  RTSP/1.0\ncseq :  7 \nTRANSPORT: RTP/AVP/TCP;\n unicast\n\n',
    );
    expect(message).toMatchObject({ kind: 'request', method: 'SETUP', uri: 'rtsp://h/my stream' });
    if (message?.kind !== 'request') return;
    expect(message.headers.get('CSeq')).toBe('7');
    expect(message.headers.get('Transport')).toBe('RTP/AVP/TCP; unicast');
  });

  test('skips blank lines and junk between frames', () => {
    const frame = serializeInterleaved(0, Buffer.from([1, 2, 3]));
    const messages = parse(
      '\r\n\r\n',
      Buffer.from([0, 255, 0x61, 0x62]),
      frame,
      'no rtsp at all\r\n',
      'OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n',
    );
    expect(messages.map((message) => message.kind)).toEqual(['interleaved', 'request']);
  });

  test('hands over a known method without a version, so that it can be answered', () => {
    expect(parse('OPTIONS rtsp://h/live\r\nCSeq: 1\r\n\r\n')).toMatchObject([
      { method: 'OPTIONS', version: '' },
    ]);
  });

  test('gives up on an endless head, a body that is too large, and 64 kB of junk', () => {
    const code = (bytes: string | Buffer) => {
      try {
        parse(bytes);
      } catch (error) {
        return (error as NamedError).code;
      }
      return undefined;
    };
    expect(code(`OPTIONS * RTSP/1.0\r\n${'X-A: b\r\n'.repeat(3000)}`)).toBe('RTSP_MESSAGE_TOO_LARGE');
    expect(code(`OPTIONS ${'x'.repeat(20_000)}`)).toBe('RTSP_MESSAGE_TOO_LARGE');
    expect(code('ANNOUNCE a RTSP/1.0\r\nContent-Length: 70000\r\n\r\n')).toBe('RTSP_MESSAGE_TOO_LARGE');
    expect(code(Buffer.alloc(70_000, 1))).toBe('RTSP_NOT_RTSP');
  });

  test('never throws anything but a named error, whatever the bytes', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 8 }), (chunks) => {
        try {
          parse(...chunks.map((chunk) => Buffer.from(chunk)));
        } catch (error) {
          expect(error).toBeInstanceOf(NamedError);
        }
      }),
      { numRuns: 300 },
    );
  });
});
