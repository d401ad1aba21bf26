import { describe, expect, it } from 'vitest';
import { missingPackages, requirements } from './test-programs.ts';

describe('what the tests need', () => {
  it('is named by Debian package, each once, when its program does not answer', () => {
    expect(missingPackages(() => true)).toEqual([]);
    expect(missingPackages(({ probe: [program] }) => program !== 'ffprobe' && program !== 'ffmpeg')).toEqual([
      'ffmpeg',
    ]);
    expect(missingPackages(() => false)).toEqual([...new Set(requirements.map((need) => need.package))]);
  });
});
