import { describe, expect, test } from 'vitest';
import type { Chunk } from '#hub/feed.ts';
import { readInit, readSamples } from '../../../test/support/fmp4-reader.ts';
import { h264Track, picture } from '../../../test/support/fmp4-units.ts';
import { MseFeedWriter } from './from-stream.ts';

describe('the MSE feed', () => {
  test('writes complete WebSocket frames: a text and an init segment in one chunk, then one frame a picture', () => {
    const writer = new MseFeedWriter('live', [h264Track], []);
    const chunks: Chunk[] = [];
    writer.write(picture(0, { keyframe: true, size: 70_000 }), (chunk) => chunks.push(chunk));
    writer.write(picture(3600), (chunk) => chunks.push(chunk));
    const frames = chunks.map(({ bytes }) => parseFrames(bytes));
    expect(frames.map((parts) => parts.map(({ opcode }) => opcode))).toEqual([[1, 2], [2], [2]]);
    const [text, init] = frames[0]!;
    expect(JSON.parse(text!.payload.toString())).toMatchObject({ type: 'stream', stream: 'live' });
    expect(readInit(init!.payload)[0]?.entry).toBe('avc1');
    expect(readSamples(frames[1]![0]!.payload)[0]).toMatchObject({ pts: 0, sync: true });
    expect(readSamples(frames[2]![0]!.payload)[0]).toMatchObject({ pts: 3600, sync: false });
  });
});

function parseFrames(bytes: Buffer): { opcode: number; payload: Buffer }[] {
  const frames = [];
  for (let at = 0; at < bytes.length; ) {
    expect(bytes[at]! & 0x80).toBe(0x80);
    const opcode = bytes[at]! & 0x0f;
    const short = bytes[at + 1]!;
    const start = at + (short < 126 ? 2 : short === 126 ? 4 : 10);
    const size =
      short < 126
        ? short
        : short === 126
          ? bytes.readUInt16BE(at + 2)
          : Number(bytes.readBigUInt64BE(at + 2));
    frames.push({ opcode, payload: bytes.subarray(start, start + size) });
    at = start + size;
  }
  return frames;
}
