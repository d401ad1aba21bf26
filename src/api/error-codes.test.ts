import { globSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';

const root = resolve(import.meta.dirname, '..', '..');

/** Literals in capitals that are no codes of ours: methods of RTSP, and codes of Node.js, which begin with ERR_. */
const OTHERS = new Set(['GET_PARAMETER', 'SET_PARAMETER']);

function codesInSources(): Set<string> {
  const files = globSync('src/**/*.ts', { cwd: root }).filter((file) => !file.endsWith('.test.ts'));
  const literals = files.flatMap((file) =>
    [...readFileSync(join(root, file), 'utf8').matchAll(/'([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)'/g)].map(
      ([, literal]) => literal ?? '',
    ),
  );
  return new Set(literals.filter((literal) => !OTHERS.has(literal) && !literal.startsWith('ERR_')));
}

function codesInTable(): string[] {
  const table = readFileSync(join(root, 'docs', 'errors.md'), 'utf8');
  return [...table.matchAll(/^\| `([A-Z0-9_]+)` \|/gm)].map(([, code]) => code ?? '');
}

describe('docs/errors.md', () => {
  it('explains every code that the sources give', () => {
    expect([...codesInSources().difference(new Set(codesInTable()))]).toEqual([]);
  });

  it('explains no code that the sources do not give, and none twice', () => {
    expect([...new Set(codesInTable()).difference(codesInSources())]).toEqual([]);
    expect(codesInTable()).toEqual([...new Set(codesInTable())]);
  });
});
