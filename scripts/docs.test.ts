import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { rooms, wiring } from '../.dependency-cruiser.ts';

const root = resolve(import.meta.dirname, '..');
const pages = ['README.md', 'README.zh-CN.md', 'NOTICE', ...globSync('docs/*.md', { cwd: root })];
const text = (page: string) => readFileSync(join(root, page), 'utf8');

describe('the documentation', () => {
  it.each(pages)('%s links only to what is there', (page) => {
    const links = [...text(page).matchAll(/\]\((?!https?:)([^)#]+)[^)]*\)/g)].map(([, link]) => link ?? '');
    expect(links.filter((link) => !existsSync(join(root, dirname(page), link)))).toEqual([]);
  });

  it.each(pages)('%s names only files that are there', (page) => {
    const paths = [
      ...text(page).matchAll(/(?:^|[`\s(])((?:src|test|web|scripts|models|media)\/[\w./-]+\.\w+)/gm),
    ];
    const missing = paths.map(([, path]) => path ?? '').filter((path) => !existsSync(join(root, path)));
    expect(missing).toEqual([]);
  });

  it('has every room in the table of the architecture', () => {
    const table = text('docs/architecture.md');
    for (const room of [...Object.keys(rooms), ...wiring])
      expect(table).toMatch(new RegExp(`^\\|.*\`${room}/\``, 'm'));
  });

  it('calls the tests by the same command everywhere', () => {
    for (const page of ['README.md', 'README.zh-CN.md', '.ci/run'])
      expect(text(page)).toContain('npm ci && npm test');
  });

  it('says in both languages the same commands and addresses', () => {
    const blocks = (page: string) =>
      [...text(page).matchAll(/```\w*\n([\s\S]*?)```/g)].map(([, block]) =>
        (block ?? '').replaceAll(/<[^>]*>/g, '<>'),
      );
    expect(blocks('README.zh-CN.md')).toEqual(blocks('README.md'));
  });
});
