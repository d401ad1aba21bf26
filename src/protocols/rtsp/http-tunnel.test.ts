import { describe, expect, test } from 'vitest';
import { Base64Decoder, TunnelGreeting } from './http-tunnel.ts';

const GET = 'GET /cam HTTP/1.0\r\nAccept: application/x-rtsp-tunnelled\r\nX-SessionCookie: abc\r\n\r\n';
const POST = 'POST /cam HTTP/1.0\r\nx-sessioncookie: abc\r\nContent-Length: 32767\r\n\r\n';

describe('the first bytes of a connection', () => {
  test('tell a tunnel by method and cookie, however they are cut', () => {
    for (const [text, expected] of [
      [GET, { kind: 'get', cookie: 'abc' }],
      [`${POST}T1BU`, { kind: 'post', cookie: 'abc' }],
    ] as const) {
      for (let size = 1; size < text.length; size += 7) {
        const greeting = new TunnelGreeting();
        let heard = greeting.push(Buffer.from(text.slice(0, size)));
        let said = '';
        if (heard.kind === 'post') said = heard.body.toString();
        else if (heard.kind === 'more') {
          heard = greeting.push(Buffer.from(text.slice(size)));
          if (heard.kind === 'post') said = heard.body.toString();
        }
        expect(heard).toMatchObject(expected);
        if (expected.kind === 'post') expect('T1BU'.startsWith(said)).toBe(true);
      }
    }
  });

  test.each([
    ['a request', 'OPTIONS * RTSP/1.0\r\n'],
    ['GET_PARAMETER', 'GET_PARAMETER rtsp://h/cam RTSP/1.0\r\n'],
    ['media', '$\x00\x00\x01x'],
    ['a browser', 'GET / HTTP/1.1\r\nHost: h\r\n\r\n'],
    ['a cookie without end', `GET / HTTP/1.1\r\nx-sessioncookie: ${'a'.repeat(300)}\r\n\r\n`],
    ['a head without end', `GET / HTTP/1.1\r\n${'a'.repeat(20_000)}`],
  ])('are handed on as they are for %s', (_name, text) => {
    expect(new TunnelGreeting().push(Buffer.from(text, 'latin1'))).toEqual({
      kind: 'rtsp',
      bytes: Buffer.from(text, 'latin1'),
    });
  });

  test('are waited for while they may still become a tunnel', () => {
    const greeting = new TunnelGreeting();
    for (const letter of 'POST /') expect(greeting.push(Buffer.from(letter)).kind).toBe('more');
  });
});

describe('base64 that comes in pieces', () => {
  const words = ['O', 'OP', 'OPTIONS * RTSP/1.0\r\n', 'CSeq: 1\r\n\r\n'];
  const text = words.map((word) => Buffer.from(word).toString('base64')).join('\r\n');

  test('is decoded at every cut, with padding and line ends in the midst', () => {
    for (let size = 1; size <= text.length; size++) {
      const decoder = new Base64Decoder();
      const decoded: Buffer[] = [];
      for (let at = 0; at < text.length; at += size) {
        decoded.push(decoder.push(Buffer.from(text.slice(at, at + size))));
      }
      expect(Buffer.concat(decoded).toString(), `pieces of ${size}`).toBe(words.join(''));
    }
  });

  test.each(['AB!D', 'A===', '=AAA', 'AA=A', 'é'])('is refused where it is none: %s', (wrong) => {
    expect(() => new Base64Decoder().push(Buffer.from(wrong))).toThrow(/no base64/);
  });
});
