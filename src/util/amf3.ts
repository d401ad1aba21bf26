import { type AmfObject, type AmfValue, MAX_DEPTH, MAX_VALUES } from './amf-value.ts';
import { NamedError } from './named-error.ts';

const UNDEFINED = 0;
const NULL = 1;
const FALSE = 2;
const TRUE = 3;
const INTEGER = 4;
const DOUBLE = 5;
const STRING = 6;
const XML_DOCUMENT = 7;
const DATE = 8;
const ARRAY = 9;
const OBJECT = 10;
const XML = 11;
const BYTE_ARRAY = 12;
const VECTOR_INT = 13;
const VECTOR_UINT = 14;
const VECTOR_DOUBLE = 15;
const VECTOR_OBJECT = 16;
const DICTIONARY = 17;

/** Classes that write themselves, of which it is known that they write one value (Flex). */
const WRAPPERS = new Set(['flex.messaging.io.ArrayCollection', 'flex.messaging.io.ObjectProxy']);

/** What the objects of one class have. */
interface Traits {
  readonly name: string;
  /** Names of the members that every object has, in the order of their values. */
  readonly sealed: readonly string[];
  /** Objects may have further members. */
  readonly dynamic: boolean;
  /** Objects write themselves. */
  readonly external: boolean;
}

/**
 * Reads values of AMF 3 (Adobe, "Action Message Format -- AMF 3", section 3). Strings, objects and traits that were
 * read are referred to by what follows, so one reader reads all the values of one message, also where values of AMF 0
 * stand between them. Byte arrays and XML become strings, vectors arrays, and dictionaries objects by their keys' text.
 */
export class Amf3Reader {
  readonly #bytes: Buffer;
  #at = 0;
  #values = 0;
  readonly #strings: string[] = [];
  readonly #objects: AmfValue[] = [];
  readonly #traits: Traits[] = [];

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  /**
   * The value that begins at a place, and where it ends.
   * @throws NamedError AMF_INVALID
   */
  read(at: number): { readonly value: AmfValue; readonly end: number } {
    this.#at = at;
    return { value: this.#value(0), end: this.#at };
  }

  #value(depth: number): AmfValue {
    if (++this.#values > MAX_VALUES) throw invalid(`it has more than ${MAX_VALUES} values`);
    if (depth > MAX_DEPTH) throw invalid(`objects lie more than ${MAX_DEPTH} deep in each other`);
    const marker = this.#take(1)[0]!;
    switch (marker) {
      case UNDEFINED:
        return undefined;
      case NULL:
        return null;
      case FALSE:
      case TRUE:
        return marker === TRUE;
      case INTEGER: {
        const number = this.#u29();
        return number >= 2 ** 28 ? number - 2 ** 29 : number;
      }
      case DOUBLE:
        return this.#take(8).readDoubleBE(0);
      case STRING:
        return this.#string();
      case XML_DOCUMENT:
      case XML:
        return this.#referable((size) => this.#take(size).toString('utf8'));
      case BYTE_ARRAY:
        return this.#referable((size) => this.#take(size).toString('latin1'));
      case DATE:
        return this.#referable(() => new Date(this.#take(8).readDoubleBE(0)));
      case ARRAY:
        return this.#array(depth);
      case OBJECT:
        return this.#object(depth);
      case VECTOR_INT:
      case VECTOR_UINT:
      case VECTOR_DOUBLE:
      case VECTOR_OBJECT:
        return this.#vector(marker, depth);
      case DICTIONARY:
        return this.#dictionary(depth);
      default:
        throw invalid(`${marker} is no type of AMF 3`);
    }
  }

  /** A number of 29 bits in one to four bytes (section 1.3.1). */
  #u29(): number {
    let number = 0;
    for (let i = 0; i < 3; i++) {
      const byte = this.#take(1)[0]!;
      number = (number << 7) | (byte & 0x7f);
      if (byte < 0x80) return number;
    }
    return (number << 8) | this.#take(1)[0]!;
  }

  #string(): string {
    const head = this.#u29();
    if ((head & 1) === 0) return this.#known(this.#strings, head >> 1);
    const text = this.#take(head >> 1).toString('utf8');
    // The empty one is never referred to (section 1.3.2).
    if (text !== '') this.#strings.push(text);
    return text;
  }

  /** A value without parts, or a reference to one: `size` is what stands in front of it. */
  #referable(read: (size: number) => AmfValue): AmfValue {
    const head = this.#u29();
    if ((head & 1) === 0) return this.#known(this.#objects, head >> 1);
    const value = read(head >> 1);
    this.#objects.push(value);
    return value;
  }

  /** Named values first; where there are none it is a plain list, else an object with the list's numbers as names. */
  #array(depth: number): AmfValue {
    const head = this.#u29();
    if ((head & 1) === 0) return this.#known(this.#objects, head >> 1);
    const list: AmfValue[] = [];
    const place = this.#objects.push(list) - 1;
    const object = emptyObject();
    let isPlain = true;
    for (let key = this.#string(); key !== ''; key = this.#string()) {
      isPlain = false;
      object[key] = this.#value(depth + 1);
    }
    this.#list(head >> 1, list, depth);
    if (isPlain) return list;
    for (const [i, value] of list.entries()) object[i] = value;
    this.#objects[place] = object;
    return object;
  }

  #object(depth: number): AmfValue {
    const head = this.#u29();
    if ((head & 1) === 0) return this.#known(this.#objects, head >> 1);
    const traits = this.#traitsOf(head);
    const object = emptyObject();
    const place = this.#objects.push(object) - 1;
    if (traits.external) {
      if (!WRAPPERS.has(traits.name)) {
        throw invalid(`only the class "${traits.name}" itself knows how it is written`);
      }
      return (this.#objects[place] = this.#value(depth + 1));
    }
    for (const key of traits.sealed) object[key] = this.#value(depth + 1);
    if (!traits.dynamic) return object;
    for (let key = this.#string(); key !== ''; key = this.#string()) object[key] = this.#value(depth + 1);
    return object;
  }

  #traitsOf(head: number): Traits {
    if ((head & 2) === 0) return this.#known(this.#traits, head >> 2);
    const external = (head & 4) !== 0;
    const name = this.#string();
    const sealed: string[] = [];
    for (let count = external ? 0 : head >> 4; count > 0; count--) sealed.push(this.#string());
    const traits = { name, sealed, dynamic: (head & 8) !== 0, external };
    this.#traits.push(traits);
    return traits;
  }

  #vector(marker: number, depth: number): AmfValue {
    const head = this.#u29();
    if ((head & 1) === 0) return this.#known(this.#objects, head >> 1);
    const count = head >> 1;
    const list: AmfValue[] = [];
    this.#objects.push(list);
    // Whether its length is fixed says nothing to us.
    this.#take(1);
    if (marker === VECTOR_OBJECT) {
      this.#string();
      this.#list(count, list, depth);
      return list;
    }
    const size = marker === VECTOR_DOUBLE ? 8 : 4;
    const bytes = this.#take(count * size);
    for (let at = 0; at < bytes.length; at += size) {
      list.push(
        marker === VECTOR_DOUBLE
          ? bytes.readDoubleBE(at)
          : marker === VECTOR_INT
            ? bytes.readInt32BE(at)
            : bytes.readUInt32BE(at),
      );
    }
    return list;
  }

  #dictionary(depth: number): AmfValue {
    const head = this.#u29();
    if ((head & 1) === 0) return this.#known(this.#objects, head >> 1);
    const object = emptyObject();
    this.#objects.push(object);
    // Whether its keys are held weakly says nothing to us.
    this.#take(1);
    for (let count = head >> 1; count > 0; count--) {
      const key = this.#value(depth + 1);
      const value = this.#value(depth + 1);
      if (typeof key === 'string' || typeof key === 'number' || typeof key === 'boolean') {
        object[String(key)] = value;
      }
    }
    return object;
  }

  #list(count: number, into: AmfValue[], depth: number): void {
    for (; count > 0; count--) into.push(this.#value(depth + 1));
  }

  #known<T>(table: readonly T[], index: number): T {
    if (index >= table.length) throw invalid('it refers to something that did not come before');
    return table[index]!;
  }

  #take(count: number): Buffer {
    const end = this.#at + count;
    if (end > this.#bytes.length) throw invalid('it ends in the middle of a value');
    const taken = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return taken;
  }
}

/** Without a prototype: the keys come from outside. */
function emptyObject(): AmfObject {
  return Object.create(null) as AmfObject;
}

function invalid(why: string): NamedError {
  return new NamedError('AMF_INVALID', `The message cannot be read as AMF 3: ${why}.`);
}
