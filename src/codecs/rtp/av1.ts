import {
  isAv1Keyframe,
  isMedia,
  leb128,
  OBU,
  obuType,
  readLeb128,
  readObu,
  sizedObu,
  withoutSize,
} from '../av1.ts';
import {
  type CodedFrame,
  type Depacketizer,
  type DepacketizerInput,
  FRAME_LIMITS,
  type Packetizer,
  type RtpPayload,
} from './contract.ts';
import { FrameAssembler } from './frame-assembler.ts';

/** Aggregation header ("RTP Payload Format For AV1" section 4.4): Z, Y, W, N. */
const CONTINUES_BEFORE = 0x80;
const CONTINUES_AFTER = 0x40;
const COUNT_SHIFT = 4;
const NEW_SEQUENCE = 0x08;
/** Most elements that W can count. */
const MOST_COUNTED = 3;
/** An element that is begun in the rest of a packet has this many bytes at least: less is not worth a fragment. */
const LEAST_FRAGMENT = 16;

/** AV1 from RTP: the units of a temporal unit, each given back its size. */
export class Av1Depacketizer implements Depacketizer {
  readonly #frame = new FrameAssembler(
    (obus) => ({ payload: obus, keyframe: isAv1Keyframe(obus) }),
    () => {
      if (this.#fragments.length > 0) this.#breakOff();
    },
  );
  #fragments: Buffer[] = [];

  get dropped(): number {
    return this.#frame.dropped;
  }

  push(packet: DepacketizerInput): CodedFrame[] {
    return this.#frame.push(packet, (payload) => this.#parse(payload));
  }

  #parse(payload: Buffer): void {
    const header = payload[0];
    if (header === undefined) return;
    const elements = readElements(payload, (header >> COUNT_SHIFT) & 3);
    if (!elements) return this.#breakOff();
    elements.forEach((element, i) => {
      const isContinued = i === 0 && (header & CONTINUES_BEFORE) !== 0;
      const goesOn = i === elements.length - 1 && (header & CONTINUES_AFTER) !== 0;
      this.#element(element, isContinued, goesOn);
    });
  }

  #element(element: Buffer, isContinued: boolean, goesOn: boolean): void {
    if (isContinued !== this.#fragments.length > 0) this.#breakOff();
    if (isContinued || goesOn) {
      this.#frame.reserve(element.length);
      if (this.#fragments.length >= 2 * FRAME_LIMITS.nals) this.#frame.damage();
      if (this.#frame.isDamaged) return;
      this.#fragments.push(element);
      if (goesOn) return;
      const pieces = this.#fragments;
      this.#fragments = [];
      for (const piece of pieces) this.#frame.reserve(-piece.length);
      return this.#add(pieces);
    }
    if (element.length > 0) this.#add([element]);
  }

  #add(pieces: Buffer[]): void {
    const [first] = pieces;
    if (!first || !isMedia(obuType(first))) return;
    const isSized = ((first[0] ?? 0) & 0x02) !== 0;
    const obu = isSized ? Buffer.concat(pieces) : sizedObu(pieces);
    const layout = readObu(obu);
    if (layout) this.#frame.add(obu.subarray(0, layout.end));
    else this.#frame.damage();
  }

  #breakOff(): void {
    this.#fragments = [];
    this.#frame.damage();
  }
}

/** The elements behind the aggregation header; undefined where their lengths do not add up. */
function readElements(payload: Buffer, count: number): Buffer[] | undefined {
  const elements: Buffer[] = [];
  for (let at = 1; at < payload.length; ) {
    const isLast = count > 0 && elements.length === count - 1;
    const size = isLast ? { value: payload.length - at, end: at } : readLeb128(payload, at);
    if (!size || size.end + size.value > payload.length || elements.length >= FRAME_LIMITS.nals)
      return undefined;
    elements.push(payload.subarray(size.end, size.end + size.value));
    at = size.end + size.value;
  }
  return count > 0 && elements.length !== count ? undefined : elements;
}

/** A packet that is being filled. */
interface Filling {
  /** Parts of each element. */
  readonly elements: Buffer[][];
  size: number;
  readonly isContinued: boolean;
}

/** AV1 to RTP: units without their sizes, several in a packet, those that do not fit in fragments. */
export class Av1Packetizer implements Packetizer {
  packetize(payload: readonly Buffer[], maxPayloadSize: number): RtpPayload[] {
    const packets: Buffer[][] = [];
    const isStart = isAv1Keyframe(payload) && payload.some((obu) => obuType(obu) === OBU.sequenceHeader);
    let filling: Filling = { elements: [], size: 1, isContinued: false };
    const flush = (goesOn: boolean) => {
      if (filling.elements.length > 0) packets.push(close(filling, goesOn, isStart && packets.length === 0));
      filling = { elements: [], size: 1, isContinued: goesOn };
    };
    for (const obu of payload) {
      let rest = isMedia(obuType(obu)) ? withoutSize(obu) : undefined;
      while (rest) {
        const length = rest[0].length + rest[1].length;
        const room = maxPayloadSize - filling.size;
        const lengthSize = leb128(Math.min(length, room)).length;
        if (length + lengthSize <= room) {
          filling.elements.push(rest.filter((part) => part.length > 0));
          filling.size += length + lengthSize;
          break;
        }
        if (room - lengthSize < LEAST_FRAGMENT && filling.elements.length > 0) {
          flush(false);
          continue;
        }
        const [header, body]: [Buffer, Buffer] = rest;
        const taken = room - lengthSize - header.length;
        filling.elements.push([header, body.subarray(0, taken)].filter((part) => part.length > 0));
        filling.size = maxPayloadSize;
        rest = [Buffer.alloc(0), body.subarray(taken)];
        flush(true);
      }
    }
    flush(false);
    return packets.map((parts, i) => ({ parts, marker: i === packets.length - 1, timestampOffset: 0 }));
  }
}

/** Writes lengths and the aggregation header; where the elements can be counted, the last one needs no length. */
function close({ elements, isContinued }: Filling, goesOn: boolean, isNewSequence: boolean): Buffer[] {
  const isCounted = elements.length <= MOST_COUNTED;
  const header =
    (isContinued ? CONTINUES_BEFORE : 0) |
    (goesOn ? CONTINUES_AFTER : 0) |
    (isCounted ? elements.length << COUNT_SHIFT : 0) |
    (isNewSequence ? NEW_SEQUENCE : 0);
  const parts: Buffer[] = [];
  elements.forEach((element, i) => {
    const size = element.reduce((sum, part) => sum + part.length, 0);
    const needsLength = !isCounted || i < elements.length - 1;
    const front = [...(i === 0 ? [header] : []), ...(needsLength ? leb128(size) : [])];
    if (front.length > 0) parts.push(Buffer.from(front));
    parts.push(...element);
  });
  return parts;
}
