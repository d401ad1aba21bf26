/** Bytes of a child's stderr that are kept. */
const LIMIT = 4096;
/** Longest line that goes into a reason. */
const LINE_LIMIT = 300;

/** Keeps the end of what a child wrote to stderr, to say in words why it died. */
export class StderrTail {
  #bytes: Buffer = Buffer.alloc(0);

  push(chunk: Buffer): void {
    const joined = this.#bytes.length === 0 ? chunk : Buffer.concat([this.#bytes, chunk]);
    // Copied when cut, so that a small tail does not hold a large chunk in memory.
    this.#bytes = joined.length > LIMIT ? Buffer.from(joined.subarray(joined.length - LIMIT)) : joined;
  }

  /**
   * The line that says most: the last error of a Node stack trace (which is followed by call sites, by the error's
   * properties and by Node's version), else the last line with words. Passwords in addresses are hidden. Undefined
   * when the child wrote nothing of use.
   */
  lastLine(): string | undefined {
    const lines = this.#bytes
      .toString('utf8')
      .split(/[\r\n]+/)
      .filter((line) => /\w/.test(line) && !/^\s+at |^Node\.js v/.test(line));
    const line = lines.findLast((text) => /^(?:Uncaught )?\[?\w*Error\b.*:/.test(text)) ?? lines.at(-1);
    return line
      ?.trim()
      .slice(0, LINE_LIMIT)
      .replaceAll(/(:\/\/)[^/\s]*@/g, '$1***@');
  }
}
