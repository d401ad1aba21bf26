import { describe, expect, it } from 'vitest';
import { unplayable } from './codec-support.ts';
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
    expect(unplayable(message({}), supported)).toEqual({ kind: 'browser', media: 'video', codec: 'H.265' });
    const deaf = (type: string) => !type.includes('mp4a');
    expect(unplayable(message({}), deaf)).toEqual({ kind: 'browser', media: 'audio', codec: 'AAC' });
  });

  it('names the codec that cannot travel in fMP4 when nothing else is there', () => {
    const unsupported = [{ kind: 'video', codec: 'mjpeg', reason: 'no place in fMP4' }];
    expect(unplayable(message({ tracks: [], mime: '', unsupported }), () => true)).toMatchObject({
      codec: 'Motion JPEG',
    });
  });

  it('says so where the browser has no Media Source Extensions', () => {
    expect(unplayable(message({}), undefined)).toEqual({ kind: 'no-mse' });
  });
});
