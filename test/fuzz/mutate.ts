import fc from 'fast-check';

/** One change of an input. Places are shares of its length, so that they fit whatever came before. */
type Mutation =
  | { readonly kind: 'flip'; readonly at: number; readonly bit: number }
  | { readonly kind: 'set'; readonly at: number; readonly byte: number }
  | { readonly kind: 'cut'; readonly at: number; readonly share: number }
  | { readonly kind: 'end'; readonly at: number }
  | { readonly kind: 'repeat'; readonly at: number; readonly share: number; readonly times: number }
  | { readonly kind: 'splice'; readonly at: number; readonly from: number; readonly other: number }
  | { readonly kind: 'insert'; readonly at: number; readonly bytes: Uint8Array }
  | { readonly kind: 'huge'; readonly at: number; readonly size: number; readonly text: string };

const at = fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true });

/** Numbers at which sizes, counts and times break. */
const HUGE = [
  '-1',
  '0',
  '65536',
  '2147483648',
  '4294967296',
  '9007199254740993',
  '1e309',
  'NaN',
  '9'.repeat(400),
];

const mutation: fc.Arbitrary<Mutation> = fc.oneof(
  fc.record({ kind: fc.constant('flip' as const), at, bit: fc.nat(7) }),
  fc.record({
    kind: fc.constant('set' as const),
    at,
    byte: fc.constantFrom(0, 1, 0x7f, 0x80, 0xff, 0x0a, 0x24),
  }),
  fc.record({ kind: fc.constant('cut' as const), at, share: at }),
  fc.record({ kind: fc.constant('end' as const), at }),
  fc.record({ kind: fc.constant('repeat' as const), at, share: at, times: fc.integer({ min: 1, max: 40 }) }),
  fc.record({ kind: fc.constant('splice' as const), at, from: at, other: fc.nat(1000) }),
  fc.record({ kind: fc.constant('insert' as const), at, bytes: fc.uint8Array({ maxLength: 12 }) }),
  fc.record({
    kind: fc.constant('huge' as const),
    at,
    size: fc.constantFrom(1, 2, 4, 8),
    text: fc.constantFrom(...HUGE),
  }),
);

/** Inputs of at most this many bytes come out; repeated parts could grow for ever. */
const LONGEST = 200_000;

/** One of the seeds, changed a few times. */
export function mutated(seeds: readonly Buffer[]): fc.Arbitrary<Buffer> {
  return fc
    .record({ seed: fc.nat(seeds.length - 1), mutations: fc.array(mutation, { minLength: 1, maxLength: 6 }) })
    .map(({ seed, mutations }) =>
      mutations.reduce<Buffer>((bytes, one) => apply(bytes, one, seeds), Buffer.from(seeds[seed] ?? [])),
    );
}

function apply(bytes: Buffer, mutation: Mutation, seeds: readonly Buffer[]): Buffer {
  const place = Math.floor(mutation.at * bytes.length);
  const around = (middle: Uint8Array, skip = 0) =>
    Buffer.concat([bytes.subarray(0, place), middle, bytes.subarray(place + skip)]).subarray(0, LONGEST);
  switch (mutation.kind) {
    case 'flip':
      return bytes.length === 0 ? bytes : around(Buffer.from([(bytes[place] ?? 0) ^ (1 << mutation.bit)]), 1);
    case 'set':
      return around(Buffer.from([mutation.byte]), 1);
    case 'cut':
      return around(Buffer.alloc(0), Math.ceil(mutation.share * 64));
    case 'end':
      return bytes.subarray(0, place);
    case 'repeat': {
      const part = bytes.subarray(place, place + 1 + Math.floor(mutation.share * 300));
      return around(Buffer.concat(Array.from({ length: mutation.times }, () => part)));
    }
    case 'splice': {
      const other = seeds[mutation.other % seeds.length] ?? bytes;
      return around(other.subarray(Math.floor(mutation.from * other.length)), bytes.length);
    }
    case 'insert':
      return around(mutation.bytes);
    case 'huge':
      return huge(bytes, place, mutation.size, mutation.text);
  }
}

/** A number in a text becomes another; in bytes, a field is filled with ones. */
function huge(bytes: Buffer, place: number, size: number, text: string): Buffer {
  const tail = bytes.toString('latin1', place, place + 200);
  const digits = /\d+/.exec(tail);
  if (digits) {
    const start = place + digits.index;
    const end = start + digits[0].length;
    return Buffer.concat([bytes.subarray(0, start), Buffer.from(text), bytes.subarray(end)]);
  }
  const copy = Buffer.from(bytes);
  return copy.fill(0xff, place, Math.min(place + size, copy.length));
}
