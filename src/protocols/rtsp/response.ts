import type { RtspHeaders } from './headers.ts';
import { serializeResponse } from './message.ts';
import type { Refusal } from './refusal.ts';

/** What a request that is granted is answered by. */
export interface Answer {
  readonly headers?: readonly (readonly [string, string | undefined])[];
  readonly body?: Buffer;
  /** Called after the response was given out. */
  readonly after?: (() => void) | undefined;
}

/** Bytes of the response; `headers` are those that every response has, and are added to. */
export function serializeAnswer(headers: RtspHeaders, answer: Answer): Buffer {
  for (const [name, value] of answer.headers ?? []) if (value !== undefined) headers.append(name, value);
  return serializeResponse(200, headers, answer.body);
}

/** Bytes of the response; `headers` are those that every response has, and are added to. */
export function serializeRefusal(headers: RtspHeaders, refusal: Refusal): Buffer {
  const { status, message } = refusal;
  for (const [name, value] of refusal.headers) headers.append(name, value);
  headers.append('Content-Type', 'text/plain; charset=utf-8');
  return serializeResponse(status, headers, Buffer.from(`${message}\r\n`), message);
}
