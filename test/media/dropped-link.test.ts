import { execFile, spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import type { DroppedLink } from '../support/dropped-link.ts';

const trial = fileURLToPath(new URL('../support/dropped-link.ts', import.meta.url));

/** A network of its own needs root, and a kernel that lets it; the closing lines of the test name what did not run. */
const possible = spawnSync('unshare', ['--net', 'nft', 'add', 'table', 'inet', 'trial']).status === 0;

describe.skipIf(!possible)('a link that breaks without a goodbye (needs root and network namespaces)', () => {
  it('is noticed by the server for every kind of client, others go on, and clients come back', async () => {
    const { stdout } = await promisify(execFile)('unshare', ['--net', process.execPath, trial]);
    const { goneAfter, longestGap, leasesLeft, cameBack } = JSON.parse(
      stdout.trim().split('\n').at(-1)!,
    ) as DroppedLink;
    console.log(goneAfter, `longest gap of another reader ${longestGap.toFixed(1)} s`);
    const within: Record<string, number> = {
      'publisher over TCP': 25,
      'publisher over UDP': 13,
      'RTSP reader': 20,
      'RTSP reader of sound alone': 35,
      'MSE page': 20,
      'MSE page that waits': 62,
      'MSE page that paused': 62,
      'viewer of results': 62,
      'listener to events': 62,
      'HTTP client': 13,
    };
    expect(Object.keys(goneAfter).toSorted()).toEqual(Object.keys(within).toSorted());
    const late = Object.entries(goneAfter).filter(([name, s]) => s === null || s > within[name]!);
    expect(late).toEqual([]);
    expect(longestGap).toBeLessThan(2);
    expect(leasesLeft).toBe(0);
    expect(cameBack).toBe(true);
  });
});
