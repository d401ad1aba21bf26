import { splitAnnexB, trimZeros } from '../nal.ts';
import { type CodedFrame, type DepacketizerInput, FRAME_LIMITS } from './contract.ts';
import { FrameAssembler } from './frame-assembler.ts';
import { FRAGMENT_END, FRAGMENT_START } from './nal-packing.ts';

const START_CODE = Buffer.from([0, 0, 0, 1]);

/** Collects the NAL units and fragments of one access unit; what RFC 6184 and RFC 7798 have in common. */
export class NalAssembler {
  readonly #frame: FrameAssembler;
  #fragments: Buffer[] = [];

  constructor(isKeyframe: (nals: readonly Buffer[]) => boolean) {
    this.#frame = new FrameAssembler(
      (nals) => ({ payload: nals, keyframe: isKeyframe(nals) }),
      () => {
        if (this.#fragments.length > 0) this.#breakOff();
      },
    );
  }

  get dropped(): number {
    return this.#frame.dropped;
  }

  /** Reads one packet by `parse`, which calls `nal` and `fragment`; returns the access units that are now complete. */
  push(packet: DepacketizerInput, parse: (payload: Buffer) => void): CodedFrame[] {
    return this.#frame.push(packet, parse);
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
    this.#frame.reserve(piece.length);
    if (this.#fragments.length > 2 * FRAME_LIMITS.nals) this.damage();
    if (!this.#frame.isDamaged) this.#fragments.push(piece);
    if ((flags & FRAGMENT_END) !== 0) {
      const whole = Buffer.concat(this.#fragments);
      this.#fragments = [];
      this.#frame.reserve(header.length - whole.length);
      this.#add(whole);
    }
  }

  /** Something of this access unit is missing or broken: it will be dropped. */
  damage(): void {
    this.#frame.damage();
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
    if (nal.length > 0) this.#frame.add(nal);
  }
}
