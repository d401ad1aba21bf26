import { describe, expect, test } from 'vitest';
import { closeFrame, frameHeaderSize, textFrame, writeBinaryHeader } from './websocket-frame.ts';

function binaryHeader(size: number): string {
  const header = Buffer.alloc(frameHeaderSize(size));
  writeBinaryHeader(header, size);
  return header.toString('hex');
}

describe('frames of a WebSocket server', () => {
  test('carry the length in 7, 16 or 64 bits, whichever is the shortest', () => {
    expect(binaryHeader(0)).toBe('8200');
    expect(binaryHeader(125)).toBe('827d');
    expect(binaryHeader(126)).toBe('827e007e');
    expect(binaryHeader(65_535)).toBe('827effff');
    expect(binaryHeader(65_536)).toBe('827f0000000000010000');
    expect(binaryHeader(2 ** 32 + 5)).toBe('827f0000000100000005');
  });

  test('count a text in bytes, not in characters', () => {
    expect(textFrame('{"a":"é"}').toString('hex')).toBe(`810a${Buffer.from('{"a":"é"}').toString('hex')}`);
    const long = textFrame('x'.repeat(300));
    expect(long.subarray(0, 4).toString('hex')).toBe('817e012c');
    expect(long.length).toBe(304);
  });

  test('that close have a code and a reason, which is never cut within a letter', () => {
    expect(closeFrame(1008, 'No.').toString('hex')).toBe('880503f04e6f2e');
    const long = closeFrame(1008, `${'x'.repeat(122)}é`);
    expect(long.length).toBe(2 + 2 + 122);
    expect(long.subarray(4).toString()).toBe('x'.repeat(122));
    expect(closeFrame(1008, 'x'.repeat(200)).length).toBe(2 + 125);
  });
});
