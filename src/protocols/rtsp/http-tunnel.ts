import { NamedError } from '#util/named-error.ts';

/*
 * RTSP inside HTTP, as QuickTime began it and players still do where only HTTP gets through: a GET that never ends
 * carries everything to the client, a POST that never ends carries its requests, in base64. `x-sessioncookie` says
 * which two belong together.
 */

/** What a connection turns out to be. */
export type Greeting =
  /** Not known yet. */
  | { readonly kind: 'more' }
  /** Plain RTSP, or nothing that is known here; `bytes` is all that came. */
  | { readonly kind: 'rtsp'; readonly bytes: Buffer }
  | { readonly kind: 'get'; readonly cookie: string; readonly headers: TunnelHeaders }
  /** `body` is what came behind the head. */
  | {
      readonly kind: 'post';
      readonly cookie: string;
      readonly headers: TunnelHeaders;
      readonly body: Buffer;
    };

/** What says where a request comes from; browsers fill these in, and no page can. */
export interface TunnelHeaders {
  readonly host?: string;
  readonly origin?: string;
}

const MAX_HEAD = 16 * 1024;
const MAX_COOKIE = 256;

/** Looks at the first bytes of a connection. Heads end within 16 kB, or they are none of ours. */
export class TunnelGreeting {
  #bytes: Buffer = Buffer.alloc(0);

  push(bytes: Buffer): Greeting {
    this.#bytes = this.#bytes.length > 0 ? Buffer.concat([this.#bytes, bytes]) : bytes;
    const start = this.#bytes.toString('latin1', 0, 5);
    const method = ['GET ', 'POST '].find((one) => start.startsWith(one) || one.startsWith(start));
    if (method === undefined) return { kind: 'rtsp', bytes: this.#bytes };
    const head = this.#bytes.toString('latin1', 0, MAX_HEAD);
    const end = /\r?\n\r?\n/.exec(head);
    if (!end) {
      return this.#bytes.length >= MAX_HEAD ? { kind: 'rtsp', bytes: this.#bytes } : { kind: 'more' };
    }
    const header = (name: string) =>
      new RegExp(`\\n${name}[ \\t]*:[ \\t]*([^\\r\\n]*)`, 'i').exec(head.slice(0, end.index))?.[1]?.trim();
    const cookie = header('x-sessioncookie');
    if (!cookie || cookie.length > MAX_COOKIE) return { kind: 'rtsp', bytes: this.#bytes };
    const host = header('host');
    const origin = header('origin');
    const headers = { ...(host !== undefined && { host }), ...(origin !== undefined && { origin }) };
    if (method === 'GET ') return { kind: 'get', cookie, headers };
    return { kind: 'post', cookie, headers, body: this.#bytes.subarray(end.index + end[0].length) };
  }
}

/** What answers the GET; everything behind it is RTSP. The POST is never answered. */
export const TUNNEL_ANSWER: Buffer = Buffer.from(
  [
    'HTTP/1.0 200 OK',
    'Server: Sluice',
    'Connection: close',
    'Cache-Control: no-store',
    'Pragma: no-cache',
    'Content-Type: application/x-rtsp-tunnelled',
    '\r\n',
  ].join('\r\n'),
);

/** Answers a half whose other half is not there, or that may not come. */
export function tunnelRefusal(status: string): Buffer {
  return Buffer.from(
    `HTTP/1.0 ${status}\r\nServer: Sluice\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`,
  );
}

const QUADS = /^(?:[A-Za-z0-9+/]{4}|[A-Za-z0-9+/]{3}=|[A-Za-z0-9+/]{2}==)*$/;

/**
 * Base64 (RFC 4648 section 4) as it comes, in pieces of any size and with line ends anywhere. Clients encode each
 * request on its own, so padding may stand in the midst.
 */
export class Base64Decoder {
  /** Up to three characters of what is not complete. */
  #rest = '';

  /** @throws NamedError RTSP_TUNNEL_INVALID */
  push(bytes: Buffer): Buffer {
    const text = this.#rest + bytes.toString('latin1').replace(/[\r\n\t ]+/g, '');
    const whole = text.length - (text.length % 4);
    const quads = text.slice(0, whole);
    this.#rest = text.slice(whole);
    if (!QUADS.test(quads) || /[^A-Za-z0-9+/=]/.test(this.#rest)) {
      throw new NamedError(
        'RTSP_TUNNEL_INVALID',
        'The POST of an RTSP tunnel carries something that is no base64; each request has to be encoded in it.',
      );
    }
    const runs = quads.match(/[^=]+=*/g) ?? [];
    return Buffer.concat(runs.map((run) => Buffer.from(run, 'base64')));
  }
}
