import { type CodedFrame, type DepacketizerInput, FRAME_LIMITS } from './contract.ts';

/**
 * Collects the parts of one picture, whatever its codec: it ends with the marker, or where the timestamp changes
 * (cameras that never set the marker). A picture that lost a packet is dropped whole; what is kept is bounded.
 */
export class FrameAssembler {
  dropped = 0;
  readonly #complete: (parts: Buffer[]) => Omit<CodedFrame, 'timestamp'> | undefined;
  readonly #atEnd: () => void;
  #parts: Buffer[] = [];
  #bytes = 0;
  #timestamp: number | undefined;
  #damaged = false;

  /**
   * @param complete makes a picture of its parts, at least one; undefined where it is none after all
   * @param atEnd called before a picture is closed: whoever holds an unfinished piece may call `damage`
   */
  constructor(
    complete: (parts: Buffer[]) => Omit<CodedFrame, 'timestamp'> | undefined,
    atEnd: () => void = () => {},
  ) {
    this.#complete = complete;
    this.#atEnd = atEnd;
  }

  /** Nothing of the picture has come yet. */
  get isEmpty(): boolean {
    return this.#parts.length === 0;
  }

  /** True when the picture will be dropped, so that nothing more has to be kept for it. */
  get isDamaged(): boolean {
    return this.#damaged;
  }

  /** Reads one packet by `parse`, which calls `add` and `damage`; returns the pictures that are now complete. */
  push(packet: DepacketizerInput, parse: (payload: Buffer) => void): CodedFrame[] {
    const frames: CodedFrame[] = [];
    const changed = this.#timestamp !== undefined && this.#timestamp !== packet.timestamp;
    // A gap may have held the end of the frame before, the beginning of this one, or both: neither can be trusted.
    if (packet.lost) this.#damaged = true;
    if (changed) this.#finish(frames);
    if (packet.lost) this.#damaged = true;
    this.#timestamp = packet.timestamp;
    parse(packet.payload);
    if (packet.marker) this.#finish(frames);
    return frames;
  }

  /** A part of the picture, in order. */
  add(part: Buffer): void {
    this.reserve(part.length);
    if (this.#parts.length >= FRAME_LIMITS.nals) this.damage();
    if (!this.#damaged) this.#parts.push(part);
  }

  /** Bytes that are kept for the picture elsewhere, or given back where negative. */
  reserve(bytes: number): void {
    this.#bytes += bytes;
    if (this.#bytes > FRAME_LIMITS.bytes) this.damage();
  }

  /** Something of this picture is missing or broken: it will be dropped. */
  damage(): void {
    this.#damaged = true;
  }

  #finish(frames: CodedFrame[]): void {
    this.#atEnd();
    const timestamp = this.#timestamp;
    const parts = this.#parts;
    const frame = this.#damaged || parts.length === 0 ? undefined : this.#complete(parts);
    if (this.#damaged) this.dropped++;
    else if (frame && timestamp !== undefined) frames.push({ timestamp, ...frame });
    this.#parts = [];
    this.#bytes = 0;
    this.#damaged = false;
    this.#timestamp = undefined;
  }
}

/** One buffer of all parts; the part itself where it is alone. */
export function joined(parts: readonly Buffer[]): Buffer {
  const [only] = parts;
  return parts.length === 1 && only ? only : Buffer.concat(parts);
}
