import { chmod, mkdtemp, readdir, readFile, readlink, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { StagedFile } from './staged-file.ts';

async function folder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'sluice-staged-'));
  onTestFinished(() => rm(path, { recursive: true, force: true }));
  return path;
}

describe('a file that is replaced', () => {
  it('is the old one until the new one takes its place, and keeps its mode', async () => {
    const file = join(await folder(), 'sluice.yml');
    await writeFile(file, 'old');
    await chmod(file, 0o640);
    await using staged = await StagedFile.write(file, 'new');
    expect(await readFile(file, 'utf8')).toBe('old');
    await staged.commit();
    expect(await readFile(file, 'utf8')).toBe('new');
    expect((await stat(file)).mode & 0o777).toBe(0o640);
  });

  it('is left alone, with nothing beside it, when it is not replaced after all', async () => {
    const path = await folder();
    await writeFile(join(path, 'sluice.yml'), 'old');
    {
      await using _staged = await StagedFile.write(join(path, 'sluice.yml'), 'new');
      expect(await readdir(path)).toHaveLength(2);
    }
    expect(await readdir(path)).toEqual(['sluice.yml']);
  });

  it('is what a link leads to, there or not, and the link stays', async () => {
    const path = await folder();
    const link = join(path, 'sluice.yml');
    await symlink('real.yml', link);
    for (const text of ['first', 'second']) {
      await using staged = await StagedFile.write(link, text);
      await staged.commit();
      expect(await readFile(join(path, 'real.yml'), 'utf8')).toBe(text);
    }
    expect(await readlink(link)).toBe('real.yml');
  });

  it('is for its owner alone where there was none', async () => {
    const file = join(await folder(), 'sluice.yml');
    await using staged = await StagedFile.write(file, 'new');
    await staged.commit();
    expect((await stat(file)).mode & 0o777).toBe(0o600);
  });

  it('that cannot be written is an error that names it and the way out', async () => {
    const file = join(await folder(), 'missing', 'sluice.yml');
    await expect(StagedFile.write(file, 'x')).rejects.toMatchObject({
      code: 'CONFIG_NOT_WRITABLE',
      status: 409,
      message: expect.stringContaining(file),
    });
  });
});
