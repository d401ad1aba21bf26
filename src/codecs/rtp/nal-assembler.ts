import { splitAnnexB, trimZeros } from '../nal.ts';
import { type CodedFrame, type DepacketizerInput, FRAME_LIMITS } from './contract.ts';
import { FRAGMENT_END, FRAGMENT_START } from './nal-packing.ts';

const START_CODE = Buffer.from([0, 0, 0, 1]);

/**
 * Collects the NAL units and fragments of one access unit; what RFC 6184 and RFC 7798 have in common. An access unit
 * ends with the marker, or where the timestamp changes (cameras that never set the marker).
 */
export class NalAssembler {
  dropped = 0;
  readonly #isKeyframe: (nals: readonly Buffer[]) => boolean;
  #nals: Buffer[] = [];
  #fragments: Buffer[] = [];
  #bytes = 0;
  #timestamp: number | undefined;
  #damaged = false;

  constructor(isKeyframe: (nals: readonly Buffer[]) => boolean) {
    this.#isKeyframe = isKeyframe;
  }

  /** Reads one packet by `parse`, which calls `nal` and `fragment`; returns the access units that are now complete. */
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

  /** A whole NAL unit. */
  nal(nal: Buffer): void {
    if (this.#fragments.length > 0) this.#breakOff();
    this.#add(nal);
  }

  /** Several NAL units, each behind its size of two bytes; they begin behind the header of the aggregate. */
  aggregate(payload: Buffer, headerLength: number): void {
    let at = headerLength;
    while (at + 2 <= payload.length) {
      const size = payload.readUInt16BE(at);
      at += 2;
      if (at + size > payload.length) return this.damage();
      if (size > 0) this.nal(payload.subarray(at, at + size));
      at += size;
    }
  }

  /**
   * A piece of a NAL unit; `header` is the rebuilt NAL header, used with the first piece, and `flags` the header of the
   * fragment.
   */
  fragment(header: readonly number[], piece: Buffer, flags: number): void {
    if ((flags & FRAGMENT_START) !== 0) {
      if (this.#fragments.length > 0) this.#breakOff();
      this.#fragments = [Buffer.from(header)];
    } else if (this.#fragments.length === 0) {
      this.damage();
      return;
    }
    this.#bytes += piece.length;
    if (this.#bytes > FRAME_LIMITS.bytes || this.#fragments.length > 2 * FRAME_LIMITS.nals) this.damage();
    if (!this.#damaged) this.#fragments.push(piece);
    if ((flags & FRAGMENT_END) !== 0) {
      const whole = Buffer.concat(this.#fragments);
      this.#fragments = [];
      this.#bytes -= whole.length;
      this.#add(whole);
    }
  }

  /** Something of this access unit is missing or broken: it will be dropped. */
  damage(): void {
    this.#damaged = true;
  }

  #breakOff(): void {
    this.#fragments = [];
    this.damage();
  }

  #add(bytes: Buffer): void {
    const nal = trimZeros(bytes);
    // A start code cannot occur inside a NAL unit; some cameras send a piece of byte stream where one belongs.
    const code = nal.indexOf(START_CODE);
    if (code >= 0) {
      if (code > 0) this.#add(nal.subarray(0, code));
      for (const one of splitAnnexB(nal.subarray(code), FRAME_LIMITS.nals)) this.#add(one);
      return;
    }
    if (nal.length === 0) return;
    this.#bytes += nal.length;
    if (this.#bytes > FRAME_LIMITS.bytes || this.#nals.length >= FRAME_LIMITS.nals) this.damage();
    if (!this.#damaged) this.#nals.push(nal);
  }

  #finish(frames: CodedFrame[]): void {
    if (this.#fragments.length > 0) this.damage();
    const timestamp = this.#timestamp;
    const nals = this.#nals;
    if (this.#damaged) this.dropped++;
    else if (nals.length > 0 && timestamp !== undefined)
      frames.push({ timestamp, payload: nals, keyframe: this.#isKeyframe(nals) });
    this.#nals = [];
    this.#fragments = [];
    this.#bytes = 0;
    this.#damaged = false;
    this.#timestamp = undefined;
  }
}
