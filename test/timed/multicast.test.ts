import { execFile, spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import type { MulticastTrial } from '../support/multicast-trial.ts';

const trial = fileURLToPath(new URL('../support/multicast-trial.ts', import.meta.url));

/** A network of its own needs root, and a kernel that lets it; the closing lines of the test name what did not run. */
const possible = spawnSync('unshare', ['--net', 'ip', 'link', 'set', 'lo', 'up']).status === 0;

describe.skipIf(!possible)('multicast (needs root and network namespaces)', () => {
  it('sends each packet once for ffmpeg and GStreamer together, in step, and ends with the last', async () => {
    const { stdout } = await promisify(execFile)('unshare', ['--net', process.execPath, trial]);
    const { ffmpeg, gstreamer, readers, left, refused } = JSON.parse(
      stdout.trim().split('\n').at(-1)!,
    ) as MulticastTrial;
    console.log('multicast:', ffmpeg);
    for (const seen of ffmpeg) {
      // Of six seconds, of which a busy machine needs some until it reads.
      expect(seen.pictures).toBeGreaterThan(80);
      expect(seen.sounds).toBeGreaterThan(120);
      expect(seen.skew).toBeLessThanOrEqual(40);
    }
    expect(gstreamer).not.toMatch(/ERROR/);
    expect(readers).toEqual(['239.255.83.0']);
    expect(left).toBe(0);
    expect(refused).toContain('461');
  });
});
