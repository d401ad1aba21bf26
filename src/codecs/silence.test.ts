import { describe, expect, it } from 'vitest';
import { aacFormat, buildAacConfig } from './aac.ts';
import { pcmaFormat, pcmuFormat } from './g711.ts';
import { opusFormat } from './opus.ts';
import { silence } from './silence.ts';

describe('silence', () => {
  it('lasts a fiftieth of a second in G.711, in the byte that is nothing', () => {
    expect(silence({ id: 1, clockRate: 8000, format: pcmaFormat() })).toEqual({
      payload: Buffer.alloc(160, 0xd5),
      duration: 160,
    });
    expect(silence({ id: 1, clockRate: 16_000, format: pcmuFormat(16_000, 2) })).toEqual({
      payload: Buffer.alloc(640, 0xff),
      duration: 320,
    });
  });

  it('is one frame of AAC LC or Opus, and there is none of what cannot be made without an encoder', () => {
    const aac = aacFormat(buildAacConfig({ sampleRate: 44_100, channels: 2 }));
    expect(silence({ id: 1, clockRate: 44_100, format: aac })?.duration).toBe(1024);
    expect(silence({ id: 1, clockRate: 48_000, format: opusFormat(2) })?.duration).toBe(960);
    expect(silence({ id: 1, clockRate: 48_000, format: { ...aac, channels: 6 } })).toBeUndefined();
    const mp3 = { ...aac, codec: 'mp3', config: Buffer.alloc(0), codecString: 'mp3' } as const;
    expect(silence({ id: 1, clockRate: 44_100, format: mp3 })).toBeUndefined();
  });
});
