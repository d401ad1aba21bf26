/** One part of a multipart body. */
export interface Part {
  /** Names in lower case. */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: Uint8Array<ArrayBuffer>;
}

/** A part that would be larger than this is no picture of ours, bytes. */
const MAX_PART = 16 << 20;
const MAX_HEAD = 4_096;
const decoder = new TextDecoder();

/**
 * Takes a body of `multipart/x-mixed-replace` apart (RFC 2046 §5.1), by the Content-Length that each part has.
 * Bytes in, parts out.
 */
export class MultipartReader {
  #bytes = new Uint8Array(64 << 10);
  #length = 0;
  #part: { readonly headers: ReadonlyMap<string, string>; readonly size: number } | undefined;

  /** @throws Error for bytes that are no multipart body with lengths */
  push(bytes: Uint8Array): Part[] {
    this.#append(bytes);
    const parts: Part[] = [];
    let at = 0;
    for (;;) {
      if (!this.#part) {
        const end = this.#headEnd(at);
        if (end === undefined) break;
        this.#part = readHead(decoder.decode(this.#bytes.subarray(at, end)));
        at = end;
      }
      const { headers, size } = this.#part;
      if (this.#length - at < size) break;
      parts.push({ headers, body: this.#bytes.slice(at, at + size) });
      at += size;
      this.#part = undefined;
    }
    this.#bytes.copyWithin(0, at, this.#length);
    this.#length -= at;
    return parts;
  }

  #append(bytes: Uint8Array): void {
    const needed = this.#length + bytes.length;
    if (needed > this.#bytes.length) {
      const larger = new Uint8Array(Math.max(needed, 2 * this.#bytes.length));
      larger.set(this.#bytes.subarray(0, this.#length));
      this.#bytes = larger;
    }
    this.#bytes.set(bytes, this.#length);
    this.#length = needed;
  }

  /** Behind the empty line that ends the boundary and headers that begin at `from`. */
  #headEnd(from: number): number | undefined {
    const head = this.#bytes.subarray(from, Math.min(this.#length, from + MAX_HEAD));
    for (let i = 3; i < head.length; i++) {
      if (head[i] === 10 && head[i - 1] === 13 && head[i - 2] === 10 && head[i - 3] === 13)
        return from + i + 1;
    }
    if (head.length >= MAX_HEAD) throw new Error('The head of a part has no end.');
    return undefined;
  }
}

function readHead(text: string): { headers: ReadonlyMap<string, string>; size: number } {
  const headers = new Map<string, string>();
  for (const line of text.split('\r\n')) {
    const colon = line.indexOf(':');
    if (colon > 0) headers.set(line.slice(0, colon).trim().toLowerCase(), line.slice(colon + 1).trim());
  }
  const size = Number(headers.get('content-length') ?? Number.NaN);
  if (!Number.isInteger(size) || size < 0 || size > MAX_PART)
    throw new Error('A part does not say its length.');
  return { headers, size };
}
