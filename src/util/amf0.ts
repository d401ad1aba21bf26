import { type AmfObject, type AmfValue, MAX_DEPTH, MAX_VALUES } from './amf-value.ts';
import { Amf3Reader } from './amf3.ts';
import { NamedError } from './named-error.ts';

const NUMBER = 0;
const BOOLEAN = 1;
const STRING = 2;
const OBJECT = 3;
const NULL = 5;
const UNDEFINED = 6;
const REFERENCE = 7;
const ECMA_ARRAY = 8;
const OBJECT_END = 9;
const STRICT_ARRAY = 10;
const DATE = 11;
const LONG_STRING = 12;
const UNSUPPORTED = 13;
const XML = 15;
const TYPED_OBJECT = 16;
/** The value behind it is one of AMF 3 (section 3.1). */
const AVMPLUS = 17;

/**
 * Reads the values of one message (Adobe, "Action Message Format -- AMF 0", section 2), those that are of AMF 3 among
 * them too. References are refused: no encoder sends them.
 * @throws NamedError AMF_INVALID
 */
export function parseAmf0(bytes: Buffer): AmfValue[] {
  const reader = new Amf0Reader(bytes);
  const values: AmfValue[] = [];
  while (!reader.done) values.push(reader.value(0));
  return values;
}

/** The values of one message, one after the other. An array of pairs of an object is written as an object. */
export function writeAmf0(...values: readonly AmfValue[]): Buffer {
  const parts: Buffer[] = [];
  for (const value of values) write(value, parts);
  return Buffer.concat(parts);
}

/** An object written as an ECMA array, which is what players expect of `onMetaData`. */
export function writeEcmaArray(object: AmfObject): Buffer {
  const entries = Object.entries(object);
  const head = Buffer.alloc(5);
  head[0] = ECMA_ARRAY;
  head.writeUInt32BE(entries.length, 1);
  const parts: Buffer[] = [head];
  writeEntries(entries, parts);
  return Buffer.concat(parts);
}

class Amf0Reader {
  readonly #bytes: Buffer;
  #at = 0;
  #values = 0;
  /** One for the whole message: its values refer to each other. */
  #amf3: Amf3Reader | undefined;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get done(): boolean {
    return this.#at >= this.#bytes.length;
  }

  value(depth: number): AmfValue {
    if (++this.#values > MAX_VALUES) throw invalid(`it has more than ${MAX_VALUES} values`);
    if (depth > MAX_DEPTH) throw invalid(`objects lie more than ${MAX_DEPTH} deep in each other`);
    const marker = this.#take(1)[0]!;
    switch (marker) {
      case NUMBER:
        return this.#take(8).readDoubleBE(0);
      case BOOLEAN:
        return this.#take(1)[0] !== 0;
      case STRING:
        return this.#string();
      case OBJECT:
        return this.#object(depth);
      case NULL:
      case UNSUPPORTED:
        return null;
      case UNDEFINED:
        return undefined;
      case ECMA_ARRAY:
        this.#take(4);
        return this.#object(depth);
      case STRICT_ARRAY:
        return this.#array(depth);
      case DATE: {
        const time = this.#take(8).readDoubleBE(0);
        this.#take(2);
        return new Date(time);
      }
      case LONG_STRING:
      case XML:
        return this.#take(this.#take(4).readUInt32BE(0)).toString('utf8');
      case TYPED_OBJECT:
        this.#string();
        return this.#object(depth);
      case AVMPLUS: {
        this.#amf3 ??= new Amf3Reader(this.#bytes);
        const { value, end } = this.#amf3.read(this.#at);
        this.#at = end;
        return value;
      }
      case REFERENCE:
        throw invalid('it refers back to an earlier object');
      default:
        throw invalid(`${marker} is no type of AMF 0`);
    }
  }

  #array(depth: number): AmfValue[] {
    const count = this.#take(4).readUInt32BE(0);
    const values: AmfValue[] = [];
    for (let i = 0; i < count; i++) values.push(this.value(depth + 1));
    return values;
  }

  #object(depth: number): AmfObject {
    // Without a prototype: the keys come from outside.
    const object = Object.create(null) as AmfObject;
    // Some encoders leave the end marker out at the end of the message.
    while (!this.done) {
      const key = this.#string();
      if (key === '' && this.#bytes[this.#at] === OBJECT_END) {
        this.#at++;
        break;
      }
      object[key] = this.value(depth + 1);
    }
    return object;
  }

  #string(): string {
    return this.#take(this.#take(2).readUInt16BE(0)).toString('utf8');
  }

  #take(count: number): Buffer {
    const end = this.#at + count;
    if (end > this.#bytes.length) throw invalid('it ends in the middle of a value');
    const taken = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return taken;
  }
}

function write(value: AmfValue, parts: Buffer[]): void {
  if (typeof value === 'number') {
    const bytes = Buffer.alloc(9);
    bytes.writeDoubleBE(value, 1);
    parts.push(bytes);
  } else if (typeof value === 'boolean') {
    parts.push(Buffer.from([BOOLEAN, value ? 1 : 0]));
  } else if (typeof value === 'string') {
    const text = Buffer.from(value);
    const head = Buffer.alloc(text.length > 0xffff ? 5 : 3);
    if (text.length > 0xffff) {
      head[0] = LONG_STRING;
      head.writeUInt32BE(text.length, 1);
    } else {
      head[0] = STRING;
      head.writeUInt16BE(text.length, 1);
    }
    parts.push(head, text);
  } else if (value === null) {
    parts.push(Buffer.from([NULL]));
  } else if (value === undefined) {
    parts.push(Buffer.from([UNDEFINED]));
  } else if (value instanceof Date) {
    const bytes = Buffer.alloc(11);
    bytes[0] = DATE;
    bytes.writeDoubleBE(value.getTime(), 1);
    parts.push(bytes);
  } else if (Array.isArray(value)) {
    const head = Buffer.alloc(5);
    head[0] = STRICT_ARRAY;
    head.writeUInt32BE(value.length, 1);
    parts.push(head);
    for (const item of value) write(item, parts);
  } else {
    parts.push(Buffer.from([OBJECT]));
    writeEntries(Object.entries(value), parts);
  }
}

function writeEntries(entries: readonly [string, AmfValue][], parts: Buffer[]): void {
  for (const [key, value] of entries) {
    const name = Buffer.from(key);
    const length = Buffer.alloc(2);
    length.writeUInt16BE(name.length);
    parts.push(length, name);
    write(value, parts);
  }
  parts.push(Buffer.from([0, 0, OBJECT_END]));
}

function invalid(why: string): NamedError {
  return new NamedError('AMF_INVALID', `The message cannot be read as AMF 0: ${why}.`);
}
