import { describe, expect, it } from 'vitest';
import { codecOf, unplayable } from './codec-support.ts';
import type { StreamMessage } from './protocol.ts';

const h265 = { id: 1, kind: 'video', codec: 'h265', codecString: 'hvc1.1.6.L93.B0' } as const;
const aac = { id: 2, kind: 'audio', codec: 'aac', codecString: 'mp4a.40.2' } as const;

function message(change: Partial<StreamMessage>): StreamMessage {
  const common = { type: 'stream', stream: 's', timescale: 90_000, unsupported: [] } as const;
  return { ...common, tracks: [h265, aac], mime: 'video/mp4; codecs="hvc1.1.6.L93.B0,mp4a.40.2"', ...change };
}

describe('unplayable', () => {
  it('finds nothing wrong where the browser plays the whole', () => {
    expect(unplayable(message({}), () => true)).toBeUndefined();
  });

  it('names the codec that the browser lacks', () => {
    const supported = (type: string) => !type.includes('hvc1');
    expect(unplayable(message({}), supported)).toEqual({ media: 'video', codec: 'H.265' });
    const deaf = (type: string) => !type.includes('mp4a');
    expect(unplayable(message({}), deaf)).toEqual({ media: 'audio', codec: 'AAC' });
  });

  it('names the codec that cannot travel in fMP4 when nothing else is there', () => {
    const unsupported = [{ kind: 'video', codec: 'mjpeg', reason: 'no place in fMP4' }];
    expect(unplayable(message({ tracks: [], mime: '', unsupported }), () => true)).toMatchObject({
      codec: 'Motion JPEG',
    });
  });
});

describe('codecOf', () => {
  it('knows codecs by their RFC 6381 names, and leaves others as they are', () => {
    const known = ['avc1.42c01e', 'hev1.1.6.L93.B0', 'mp4a.40.2', 'Opus', 'av01.0.04M.08', 'ac-3'].map(
      codecOf,
    );
    expect(known).toEqual(['h264', 'h265', 'aac', 'opus', 'av1', 'ac3']);
    expect(codecOf('dtsc')).toBe('dtsc');
  });
});
