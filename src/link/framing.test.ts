import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { audio, picture, sound, video } from '../../test/support/units.ts';
import { decodeMessage, decodeUnit, encodeMessage, encodeUnit, sameTrack } from './framing.ts';

describe('an access unit on the link', () => {
  it('arrives with its timestamps exactly as they were', () => {
    const unit = { ...picture(25), pts: 2 ** 52 + 1, dts: -7, ntp: 1_700_000_000_123.25 };
    const passage = { heldMs: 40.4, leftOut: 70_000, keyframeInterval: 180_000, more: true };
    const got = decodeUnit(encodeUnit(77, unit, passage))!;
    expect(got).toEqual({
      channel: 77,
      trackId: video.id,
      pts: 2 ** 52 + 1,
      dts: -7,
      keyframe: true,
      ntp: 1_700_000_000_123.25,
      heldMs: 40,
      leftOut: 65_535,
      keyframeInterval: 180_000,
      more: true,
      payload: unit.payload,
    });
  });

  it('arrives in the parts it was made of', () => {
    fc.assert(
      fc.property(
        fc.array(fc.uint8Array({ minLength: 1, maxLength: 300 }), { minLength: 1, maxLength: 20 }),
        (parts) => {
          const payload = parts.map((part) => Buffer.from(part));
          expect(decodeUnit(encodeUnit(1, { ...sound(3), payload }))!.payload).toEqual(payload);
        },
      ),
    );
  });

  it('is refused, not thrown over, when its bytes are broken', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(), (noise, at) => {
        const bytes = encodeUnit(1, picture(0));
        bytes.set(noise.subarray(0, Math.max(0, bytes.length - (at % bytes.length))), at % bytes.length);
        expect(() => decodeUnit(bytes)).not.toThrow();
        expect(decodeUnit(bytes.subarray(0, at % bytes.length))).toBeUndefined();
        expect(() => decodeUnit(Buffer.from(noise))).not.toThrow();
      }),
      { numRuns: 1000 },
    );
  });
});

describe('a control message', () => {
  it('carries Buffers', () => {
    const message = { type: 'tracks', subscription: 3, tracks: [audio, video] };
    expect(decodeMessage(encodeMessage(message))).toEqual(message);
  });

  it('is undefined when it is no message', () => {
    for (const text of ['', '{', 'null', '[]', '{"type":1}', '"tracks"'])
      expect(decodeMessage(text)).toBeUndefined();
  });
});

describe('two tracks', () => {
  it('are the same when every byte of their formats is', () => {
    expect(
      sameTrack(
        audio,
        structuredClone({ ...audio, format: { ...audio.format, config: undefined } }) as never,
      ),
    ).toBe(false);
    expect(
      sameTrack(audio, { ...audio, format: { ...audio.format, config: Buffer.from(audio.format.config) } }),
    ).toBe(true);
    expect(
      sameTrack(audio, { ...audio, format: { ...audio.format, config: Buffer.from('1290', 'hex') } }),
    ).toBe(false);
  });
});
