/** Bytes that are encoded at a time, a multiple of three: their text is small enough to die young. */
const CHUNK = 12_288;

/**
 * Writes base64 (RFC 4648 section 4) into a buffer of its own, which it uses again and again. As one string, each picture of
 * a few hundred kilobytes would make the engine collect its garbage: seven times the cost of the encoding itself.
 */
export class Base64Writer {
  #buffer = Buffer.alloc(0);

  /** The text of `bytes` as ASCII. Valid until the next call. */
  encode(bytes: Buffer): Buffer {
    const length = Math.ceil(bytes.length / 3) * 4;
    // Pictures differ in length from one to the next.
    if (this.#buffer.length < length) this.#buffer = Buffer.allocUnsafeSlow(length + (length >> 2));
    let written = 0;
    for (let at = 0; at < bytes.length; at += CHUNK) {
      const text = bytes.toString('base64', at, Math.min(bytes.length, at + CHUNK));
      written += this.#buffer.write(text, written, 'latin1');
    }
    return this.#buffer.subarray(0, written);
  }
}
