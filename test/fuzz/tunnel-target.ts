import { Base64Decoder, TunnelGreeting } from '#protocols/rtsp/http-tunnel.ts';
import { NamedError } from '#util/named-error.ts';
import type { FuzzTarget } from './run.ts';

const requests = [
  'OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n',
  'DESCRIBE rtsp://h/cam RTSP/1.0\r\nCSeq: 2\r\n\r\n',
];
const body = requests.map((request) => Buffer.from(request).toString('base64')).join('\r\n');

/** Halves of an RTSP tunnel through HTTP, in three pieces: whatever they say, nothing of it is lost or made up. */
export const tunnelTarget: FuzzTarget = {
  name: 'RTSP tunnel',
  seeds: async () =>
    [
      `GET /cam HTTP/1.0\r\nx-sessioncookie: abc\r\nAccept: application/x-rtsp-tunnelled\r\n\r\n`,
      `POST /cam HTTP/1.0\r\nx-sessioncookie: abc\r\nContent-Length: 32767\r\n\r\n${body}`,
      body,
    ].map((text) => Buffer.from(text)),
  open: () => ({
    take(input) {
      const third = Math.max(1, Math.ceil(input.length / 3));
      const greeting = new TunnelGreeting();
      const decoder = new Base64Decoder();
      let decoded = 0;
      try {
        for (let at = 0, known = false; at < input.length; at += third) {
          const piece = input.subarray(at, at + third);
          if (known) {
            decoded += decoder.push(piece).length;
            continue;
          }
          const heard = greeting.push(piece);
          if (heard.kind === 'rtsp' && heard.bytes.length !== Math.min(at + third, input.length))
            throw new Error('Bytes of a connection were lost.');
          known = heard.kind !== 'more';
          if (heard.kind === 'post') decoded += decoder.push(heard.body).length;
        }
      } catch (error) {
        if (!(error instanceof NamedError)) throw error;
      }
      if (decoded > (input.length / 4) * 3) throw new Error('More was decoded than there was.');
    },
  }),
};
