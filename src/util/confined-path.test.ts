import { mkdir, mkdtemp, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { confinedPath } from './confined-path.ts';

it('a path is confined to folders by where it really leads', async () => {
  const root = await realpath(await mkdtemp(join(tmpdir(), 'sluice-confined-')));
  onTestFinished(() => rm(root, { recursive: true, force: true }));
  const at = (...parts: string[]) => join(root, ...parts);
  await mkdir(at('films', 'below'), { recursive: true });
  await mkdir(at('films-not'));
  for (const file of ['films/a.mp4', 'films/..b.mp4', 'films/below/c.mp4', 'films-not/d.mp4'])
    await writeFile(at(file), '');
  await symlink(at('films-not/d.mp4'), at('films/out.mp4'));
  await symlink(at('films'), at('way-in'));
  const films = [at('films')];
  for (const [path, real] of [
    ['films/a.mp4', 'films/a.mp4'],
    ['films/..b.mp4', 'films/..b.mp4'],
    ['films/below/c.mp4', 'films/below/c.mp4'],
    ['way-in/a.mp4', 'films/a.mp4'],
    ['films', 'films'],
    ['films/later.mp4', 'films/later.mp4'],
  ] as const)
    expect(await confinedPath(at(path), films), path).toBe(at(real));
  expect(await confinedPath(at('films/a.mp4'), [at('way-in')])).toBe(at('films/a.mp4'));
  for (const path of [
    'films/out.mp4',
    'films-not/d.mp4',
    'films/../films-not/d.mp4',
    'films/../../etc/passwd',
    '',
  ])
    await expect(confinedPath(`${root}/${path}`, films), path).rejects.toMatchObject({
      code: 'SOURCE_FORBIDDEN',
    });
  await expect(confinedPath(at('films/a.mp4'), [])).rejects.toThrow(/no file may be/);
});
