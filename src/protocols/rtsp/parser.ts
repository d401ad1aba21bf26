import { NamedError } from '#util/named-error.ts';
import { RtspHeaders } from './headers.ts';
import { INTERLEAVED_HEADER_SIZE, INTERLEAVED_MAGIC, type RtspMessage } from './message.ts';

const MAX_HEAD = 16 * 1024;
const MAX_BODY = 64 * 1024;
/** Junk in a row after which the other side does not speak RTSP. */
const MAX_JUNK = 64 * 1024;
const MAX_TOKEN = 24;

const LF = 0x0a;
const CR = 0x0d;

const METHODS =
  /^(OPTIONS|DESCRIBE|ANNOUNCE|SETUP|PLAY|PAUSE|RECORD|TEARDOWN|GET_PARAMETER|SET_PARAMETER|REDIRECT)$/i;

interface Head {
  readonly startLine: string;
  readonly headers: RtspHeaders;
  /** Bytes from the start of the message to the start of its body. */
  readonly size: number;
}

/**
 * Cuts one byte stream into requests, responses and interleaved frames (RFC 2326 sections 4, 6, 7 and 10.12).
 *
 * Lenient, because cameras and encoders are: line ends may be LF alone, header names come in any case and with
 * spaces around the colon, methods in any case, blank lines and junk between messages are skipped.
 * Bounded: head ≤ 16 kB, body ≤ 64 kB, junk in a row ≤ 64 kB, frames ≤ 65 535 bytes by their format.
 */
export class RtspParser {
  #chunks: Buffer[] = [];
  #size = 0;
  /** Bytes that must be there before it is worth looking again; keeps many small chunks from being joined each time. */
  #need = 1;
  #junk = 0;

  /** Bytes that were received and not yet handed over. */
  get buffered(): number {
    return this.#size;
  }

  /** Adds received bytes. The buffer is kept, and payloads point into it. */
  push(bytes: Buffer): void {
    if (bytes.length === 0) return;
    this.#chunks.push(bytes);
    this.#size += bytes.length;
  }

  /**
   * The next complete message, or undefined until more bytes come.
   * @throws NamedError RTSP_MESSAGE_TOO_LARGE or RTSP_NOT_RTSP: the connection cannot be understood any further.
   */
  next(): RtspMessage | undefined {
    while (this.#size >= this.#need) {
      const data = this.#joined();
      const first = data[0];
      if (first === undefined) return undefined;
      if (first === INTERLEAVED_MAGIC) return this.#frame(data);
      const start = startOf(data);
      if (start === 'more') return this.#wait(data.length + 1);
      if (start === 'junk') {
        this.#skip(data, nextCandidate(data));
        continue;
      }
      const lineEnd = data.indexOf(LF);
      if (lineEnd < 0) {
        if (data.length > MAX_HEAD) throw tooLarge('head', MAX_HEAD);
        return this.#wait(data.length + 1);
      }
      if (!isStartLine(data.toString('latin1', 0, lineEnd))) {
        this.#skip(data, lineEnd + 1);
        continue;
      }
      return this.#message(data);
    }
    return undefined;
  }

  /**
   * The message that waits for the rest of its body, with what came of it: for who knows that nothing more will come.
   * Undefined where none waits so.
   */
  cut(): RtspMessage | undefined {
    const data = this.#joined();
    if (data.length === 0 || data[0] === INTERLEAVED_MAGIC || startOf(data) !== 'message') return undefined;
    const head = parseHead(data);
    if (typeof head !== 'object') return undefined;
    const body = data.subarray(head.size);
    this.#consume(data, data.length);
    return toMessage(head, body);
  }

  #joined(): Buffer {
    if (this.#chunks.length > 1) this.#chunks = [Buffer.concat(this.#chunks, this.#size)];
    return this.#chunks[0] ?? Buffer.alloc(0);
  }

  #wait(need: number): undefined {
    this.#need = need;
    return undefined;
  }

  #consume(data: Buffer, count: number): void {
    const rest = data.subarray(count);
    this.#chunks = rest.length > 0 ? [rest] : [];
    this.#size = rest.length;
    this.#need = 1;
  }

  #skip(data: Buffer, count: number): void {
    this.#junk += count;
    if (this.#junk > MAX_JUNK) {
      throw new NamedError(
        'RTSP_NOT_RTSP',
        'The other side does not speak RTSP: 64 kB came without a single RTSP message.',
      );
    }
    this.#consume(data, count);
  }

  #frame(data: Buffer): RtspMessage | undefined {
    if (data.length < INTERLEAVED_HEADER_SIZE) return this.#wait(INTERLEAVED_HEADER_SIZE);
    const end = INTERLEAVED_HEADER_SIZE + data.readUInt16BE(2);
    if (data.length < end) return this.#wait(end);
    const channel = data.readUInt8(1);
    const payload = data.subarray(INTERLEAVED_HEADER_SIZE, end);
    this.#junk = 0;
    this.#consume(data, end);
    return { kind: 'interleaved', channel, payload };
  }

  /** A frame at `at`, in the midst of a message: it is handed over first, and the message closes behind it. */
  #frameInside(data: Buffer, at: number): RtspMessage | undefined {
    const start = at + INTERLEAVED_HEADER_SIZE;
    if (data.length < start) return this.#wait(start);
    const end = start + data.readUInt16BE(at + 2);
    if (data.length < end) return this.#wait(end);
    this.#chunks = [data.subarray(0, at), data.subarray(end)];
    this.#size = data.length - (end - at);
    this.#need = 1;
    return { kind: 'interleaved', channel: data.readUInt8(at + 1), payload: data.subarray(start, end) };
  }

  #message(data: Buffer): RtspMessage | undefined {
    const head = parseHead(data);
    if (typeof head === 'number') return this.#frameInside(data, head);
    if (!head) {
      if (data.length > MAX_HEAD) throw tooLarge('head', MAX_HEAD);
      return this.#wait(data.length + 1);
    }
    const declared = Number.parseInt(head.headers.get('content-length') ?? '0', 10);
    const bodySize = Number.isFinite(declared) && declared > 0 ? declared : 0;
    if (bodySize > MAX_BODY) throw tooLarge('body', MAX_BODY);
    let end = head.size + bodySize;
    if (data.length < end) return this.#wait(end);
    if (bodySize > 0 && isDescription(head)) end += descriptionBehind(data, end);
    const body = data.subarray(head.size, end);
    this.#junk = 0;
    this.#consume(data, end);
    return toMessage(head, body);
  }
}

function isDescription({ startLine, headers }: Head): boolean {
  return /^RTSP\//i.test(startLine) && /^application\/sdp\b/i.test(headers.get('content-type') ?? '');
}

/**
 * Bytes of a description that stand behind its declared end: some cameras count each line end as one byte and send two.
 * Taken is the rest of a line that was cut, and whatever else looks like a line of a description.
 */
function descriptionBehind(data: Buffer, end: number): number {
  const text = data.toString('latin1', end, end + MAX_BODY);
  const whole = data[end - 1] === LF;
  const tail = whole ? /^(?:[a-z]=[^\r\n]*\r?\n)+/ : /^(?!\$|RTSP\/)[^\r\n]*\r?\n(?:[a-z]=[^\r\n]*\r?\n)*/;
  return tail.exec(text)?.[0].length ?? 0;
}

function tooLarge(part: string, limit: number): NamedError {
  return new NamedError(
    'RTSP_MESSAGE_TOO_LARGE',
    `The ${part} of an RTSP message is larger than the ${limit / 1024} kB that are allowed.`,
    413,
  );
}

/** Offset behind the first byte at which something could begin: `$` or a letter. */
function nextCandidate(data: Buffer): number {
  let at = 1;
  while (at < data.length && data[at] !== INTERLEAVED_MAGIC && !isLetter(data[at] as number)) at++;
  return at;
}

/** Letters and the underscore: what methods are made of. */
function isLetter(byte: number): boolean {
  return (byte >= 0x41 && byte <= 0x5a) || (byte >= 0x61 && byte <= 0x7a) || byte === 0x5f;
}

/** Whether a message can start here: a word of letters that a space or, after `RTSP`, a slash ends. */
function startOf(data: Buffer): 'message' | 'junk' | 'more' {
  for (let i = 0; i < data.length; i++) {
    const byte = data[i] as number;
    if (isLetter(byte) && i < MAX_TOKEN) continue;
    const ends = i > 0 && (byte === 0x20 || byte === 0x09 || (byte === 0x2f && i === 4));
    return ends ? 'message' : 'junk';
  }
  return 'more';
}

/** A response, a request with a version, or one of our methods whose version was forgotten (the server answers 400). */
function isStartLine(line: string): boolean {
  if (/^RTSP\/\d/i.test(line)) return /^RTSP\/\d+\.\d+\s+\d{3}/i.test(line);
  if (/\s(RTSP|HTTP)\/\d+(\.\d+)?\s*$/i.test(line)) return true;
  return METHODS.test(line.split(/\s/, 1)[0] ?? '');
}

/**
 * The head of a message, undefined until it is there; or the offset of a frame between its lines, or between head and
 * body: some cameras send media and responses without regard for each other. No header begins with `$`, and no
 * description does.
 */
function parseHead(data: Buffer): Head | number | undefined {
  let lineStart = 0;
  let startLine: string | undefined;
  const lines: string[] = [];
  while (lineStart < MAX_HEAD) {
    if (startLine !== undefined && data[lineStart] === INTERLEAVED_MAGIC) return lineStart;
    const lf = data.indexOf(LF, lineStart);
    if (lf < 0) return undefined;
    const lineEnd = lf > lineStart && data[lf - 1] === CR ? lf - 1 : lf;
    const line = data.toString('latin1', lineStart, lineEnd);
    lineStart = lf + 1;
    if (startLine === undefined) {
      startLine = line.trim();
    } else if (line.trim() === '') {
      const headers = parseHeaders(lines);
      const isSdp = /^application\/sdp\b/i.test(headers.get('content-type') ?? '');
      if (isSdp && data[lineStart] === INTERLEAVED_MAGIC) return lineStart;
      return { startLine, headers, size: lineStart };
    } else if (/^[ \t]/.test(line) && lines.length > 0) {
      // A folded header (RFC 2326 section 15.1): the value goes on.
      lines[lines.length - 1] += ` ${line.trim()}`;
    } else {
      lines.push(line);
    }
  }
  throw tooLarge('head', MAX_HEAD);
}

function parseHeaders(lines: readonly string[]): RtspHeaders {
  const headers = new RtspHeaders();
  for (const line of lines) {
    const colon = line.indexOf(':');
    // A line without a colon says nothing that we could use.
    if (colon > 0) headers.append(line.slice(0, colon).trim(), line.slice(colon + 1).trim());
  }
  return headers;
}

function toMessage(head: Head, body: Buffer): RtspMessage {
  const { startLine, headers } = head;
  const response = /^RTSP\/\d+\.\d+\s+(\d{3})\s*(.*)$/i.exec(startLine);
  if (response) {
    return { kind: 'response', status: Number(response[1]), reason: response[2] ?? '', headers, body };
  }
  const [method = ''] = startLine.split(/\s/, 1);
  const rest = startLine.slice(method.length).trim();
  const version = /(?:^|\s)((?:RTSP|HTTP)\/\d+(?:\.\d+)?)$/i.exec(rest);
  const uri = (version ? rest.slice(0, version.index) : rest).trim();
  return {
    kind: 'request',
    method: method.toUpperCase(),
    uri,
    version: version?.[1]?.toUpperCase() ?? '',
    headers,
    body,
  };
}
