import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { Base64Writer } from './base64-writer.ts';

describe('Base64Writer', () => {
  it('writes what Buffer makes, at any length and one after the other', () => {
    const writer = new Base64Writer();
    for (const length of [0, 1, 2, 3, 12_287, 12_288, 12_289, 12_290, 100_000, 5, 40_001]) {
      const bytes = randomBytes(length);
      expect(writer.encode(bytes).toString()).toBe(bytes.toString('base64'));
    }
  });
});
