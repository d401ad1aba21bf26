import { describe, expect, it } from 'vitest';
import { FrameReader, frameHeader } from './stream-framing.ts';

const packets = ['one', 'a second', 'third'].map((text) => Buffer.from(text));
const stream = Buffer.concat(packets.flatMap((packet) => [frameHeader(packet.length), packet]));

describe('packets in a stream of bytes', () => {
  it.each([1, 2, 3, 7, stream.length])('are whole again when %i bytes come at a time', (step) => {
    const reader = new FrameReader(100);
    const got: Buffer[] = [];
    for (let at = 0; at < stream.length; at += step)
      got.push(...(reader.push(stream.subarray(at, at + step)) ?? []));
    expect(got).toEqual(packets);
  });

  it('end the stream when one is larger than it may be, before it is waited for', () => {
    expect(new FrameReader(100).push(frameHeader(101))).toBeUndefined();
  });

  it('may be empty, and are passed over then', () => {
    expect(new FrameReader(100).push(Buffer.concat([frameHeader(0), stream]))).toEqual(packets);
  });
});
