/** Headers of one RTSP message: names compare without case, order and repeated headers are kept. */
export class RtspHeaders {
  readonly #entries: { name: string; value: string }[] = [];

  /** Makes headers from pairs; pairs whose value is undefined are left out. */
  static from(pairs: Iterable<readonly [string, string | undefined]>): RtspHeaders {
    const headers = new RtspHeaders();
    for (const [name, value] of pairs) if (value !== undefined) headers.append(name, value);
    return headers;
  }

  /** Adds a header behind those that are there. */
  append(name: string, value: string): void {
    this.#entries.push({ name, value });
  }

  /** Value of the first header of that name. */
  get(name: string): string | undefined {
    const wanted = name.toLowerCase();
    return this.#entries.find((entry) => entry.name.toLowerCase() === wanted)?.value;
  }

  /** Values of all headers of that name, in order. */
  getAll(name: string): string[] {
    const wanted = name.toLowerCase();
    return this.#entries.filter((entry) => entry.name.toLowerCase() === wanted).map((entry) => entry.value);
  }

  *[Symbol.iterator](): IterableIterator<readonly [string, string]> {
    for (const { name, value } of this.#entries) yield [name, value];
  }
}

/** `Session: id;timeout=60` (RFC 2326 section 12.37). */
export function formatSession(id: string, timeoutMs: number): string {
  return `${id};timeout=${Math.round(timeoutMs / 1000)}`;
}

/** The identifier of a Session header; some clients send the time-out back with it. */
export function parseSessionId(value: string): string {
  return (value.split(';', 1)[0] ?? '').trim();
}

/** The time-out that a server sets in its Session header, in ms: `id;timeout=60`; 60 s where it says nothing. */
export function parseSessionTimeout(value: string): number {
  const seconds = Number(/;\s*timeout\s*=\s*"?(\d{1,6})/i.exec(value)?.[1] ?? 60);
  return (seconds > 0 ? seconds : 60) * 1000;
}

/** One stream of an RTP-Info header (RFC 2326 section 12.33). */
export interface RtpInfo {
  /** Absolute address of the track. */
  readonly url: string;
  /** Sequence number of the first packet that follows. */
  readonly sequence: number;
  /** RTP timestamp that belongs to the start of the Range of the same response; left out while unknown. */
  readonly timestamp?: number | undefined;
}

export function formatRtpInfo(streams: readonly RtpInfo[]): string {
  return streams
    .map(({ url, sequence, timestamp }) => {
      const time = timestamp === undefined ? '' : `;rtptime=${timestamp}`;
      return `url=${url};seq=${sequence}${time}`;
    })
    .join(',');
}
