import type { IncomingMessage, ServerResponse } from 'node:http';
import { refusalHeaders } from '#hub/http-credentials.ts';
import { NamedError } from '#util/named-error.ts';

/** Longest SDP; a browser's offer has some 6 kB. */
const MAX_BODY = 64 << 10;
export const SDP = 'application/sdp';
export const SDP_FRAGMENT = 'application/trickle-ice-sdpfrag';

/**
 * The body of a request of that type.
 * @throws NamedError MEDIA_TYPE_UNSUPPORTED, REQUEST_TOO_LARGE
 */
export async function readBody(request: IncomingMessage, type: string): Promise<string> {
  const given = (request.headers['content-type'] ?? '').split(';')[0]?.trim().toLowerCase();
  if (given !== type) {
    throw new NamedError(
      'MEDIA_TYPE_UNSUPPORTED',
      `The body of this request must be ${type}, not ${given || 'without a Content-Type'}.`,
      415,
    );
  }
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of request as AsyncIterable<Buffer>) {
    size += part.length;
    if (size > MAX_BODY) {
      throw new NamedError('REQUEST_TOO_LARGE', `The body is larger than ${MAX_BODY} bytes.`, 413);
    }
    parts.push(part);
  }
  return Buffer.concat(parts).toString('utf8');
}

export function answer(
  response: ServerResponse,
  status: number,
  headers: Readonly<Record<string, string>> = {},
  body = '',
): void {
  response.writeHead(status, {
    'content-length': Buffer.byteLength(body),
    'cache-control': 'no-store',
    ...headers,
  });
  response.end(body);
}

export function answerError(request: IncomingMessage, response: ServerResponse, error: NamedError): void {
  const body = JSON.stringify({ error: { code: error.code, message: error.message } });
  const headers = {
    'content-type': 'application/json; charset=utf-8',
    ...refusalHeaders(error, request.headers),
  };
  answer(response, error.status, headers, body);
}
