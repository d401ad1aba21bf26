import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { completeLock, type Lock, missingPackages } from './complete-lock.ts';

describe('package-lock.json', () => {
  it('has the packages of every platform, else "npm ci" refuses it ("npm run lock" adds them)', () => {
    const file = join(import.meta.dirname, '..', 'package-lock.json');
    const missing = missingPackages(JSON.parse(readFileSync(file, 'utf8')) as Lock);
    expect(missing.map(({ name }) => name)).toEqual([]);
  });
});

describe('completeLock', () => {
  it('adds what is wanted and not there, with its platform, and leaves the rest alone', () => {
    const tool = {
      version: '1.0.0',
      dev: true,
      optionalDependencies: { '@tool/linux-x64': '1.0.0', '@tool/win32-arm64': '1.0.0' },
    };
    const lock: Lock = {
      packages: {
        '': {},
        'node_modules/tool': tool,
        'node_modules/@tool/linux-x64': { version: '1.0.0', optional: true },
        'node_modules/web': {
          optionalDependencies: { '@web/linux-arm64-musl': '^2.1.0', fsevents: '~2.3.3' },
        },
        'node_modules/web/node_modules/fsevents': { version: '2.3.3' },
      },
    };
    const completed = completeLock(lock);
    expect(completed.packages).toEqual({
      ...lock.packages,
      'node_modules/@tool/win32-arm64': {
        version: '1.0.0',
        cpu: ['arm64'],
        os: ['win32'],
        dev: true,
        optional: true,
      },
      'node_modules/@web/linux-arm64-musl': {
        version: '2.1.0',
        cpu: ['arm64'],
        libc: ['musl'],
        os: ['linux'],
        optional: true,
      },
    });
    expect(missingPackages(completed)).toEqual([]);
    expect(Object.keys(completed.packages)).toEqual(Object.keys(completed.packages).toSorted());
  });
});
