import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type Config, defaultConfig } from '#config/schema.ts';
import { NamedError } from '#util/named-error.ts';
import { ConfigurationFile } from './configuration-file.ts';
import type { Rooms } from './rooms.ts';
import { StreamEntries } from './stream-entries.ts';

/** A file in a folder of its own, and rooms that take up whatever they are given. */
async function setUp(text?: string) {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-file-'));
  const path = join(folder, 'sluice.yml');
  if (text !== undefined) await writeFile(path, text);
  const applied: Config[] = [];
  let refusal: Error | undefined;
  let afterwards: (() => Promise<void>) | undefined;
  const rooms = {
    get config() {
      return applied.at(-1) ?? defaultConfig();
    },
    apply: async (config: Config) => {
      if (refusal) throw refusal;
      applied.push(config);
      const then = afterwards;
      afterwards = undefined;
      await then?.();
      return [];
    },
  };
  const file = new ConfigurationFile(
    { file: path },
    { rooms: rooms as unknown as Rooms, log: pino({ level: 'silent' }), onApplied: () => {} },
  );
  onTestFinished(async () => {
    await file[Symbol.asyncDispose]();
    await rm(folder, { recursive: true, force: true });
  });
  const entries = new StreamEntries({ file: () => file, config: () => rooms.config, check: async () => {} });
  const add = (name: string) => entries.set(name, { keys: { source: 'testsrc' }, whole: true });
  return {
    ...{ folder, path, file, entries, add, applied },
    /** Once. */
    whenApplied: (callback: () => Promise<void>) => {
      afterwards = callback;
    },
    refuse: (error: Error) => {
      refusal = error;
    },
  };
}

describe('a configuration file that is written', () => {
  it('is made where there was none, for its owner alone', async () => {
    const { path, add, applied } = await setUp();
    expect(await add('yard')).toBe(true);
    expect(await readFile(path, 'utf8')).toMatch(
      /^# Made by Sluice .*\n\nstreams:\n {2}yard:\n {4}source: testsrc\n/,
    );
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect(applied).toHaveLength(1);
  });

  it('is not made again where it was and is gone, because it may be about to be replaced', async () => {
    const { path, add } = await setUp('demo: false\n');
    await rm(path);
    await expect(add('yard')).rejects.toMatchObject({ code: 'CONFIG_BROKEN', status: 409 });
  });

  it('is left alone when what would stand in it cannot be taken up, and nothing is left beside it', async () => {
    const { folder, path, add, refuse } = await setUp('demo: false\n');
    refuse(new NamedError('ALGORITHM_UNKNOWN', 'There is none.', 404));
    await expect(add('yard')).rejects.toMatchObject({ code: 'ALGORITHM_UNKNOWN' });
    expect(await readFile(path, 'utf8')).toBe('demo: false\n');
    expect(await readdir(folder)).toEqual(['sluice.yml']);
  });

  it('gets what was written by hand meanwhile into it, and is given up when that does not stop', async () => {
    const { path, file, applied } = await setUp('demo: false\n');
    let hands = 1;
    const change = async (text: string) => {
      if (hands-- > 0) await writeFile(path, `${text}# by hand\n`);
      return text.includes('rtsp') ? `${text}# over the API\n` : `${text}rtsp: { port: 1 }\n`;
    };
    await file.edit(change);
    expect(await readFile(path, 'utf8')).toBe('demo: false\n# by hand\nrtsp: { port: 1 }\n');
    hands = Number.POSITIVE_INFINITY;
    await expect(file.edit(change)).rejects.toMatchObject({ code: 'CONFIG_BUSY' });
    expect(applied).toHaveLength(1);
    expect(await readFile(path, 'utf8')).toMatch(/rtsp: \{ port: 1 \}\n(# by hand\n){3}$/);
  });

  it('that is written by hand while an edit is taken up has the edit too, or the edit is taken back', async () => {
    const { path, add, applied, whenApplied } = await setUp('demo: false\n');
    whenApplied(() => writeFile(path, 'demo: false\n# by hand\n'));
    await add('yard');
    expect(await readFile(path, 'utf8')).toMatch(/^demo: false\nstreams:\n {2}yard:\n.*# by hand\n$/s);
    whenApplied(() => writeFile(path, 'no: such\n'));
    await expect(add('hall')).rejects.toMatchObject({ code: 'CONFIG_BROKEN' });
    expect(Object.keys(applied.at(-2)?.streams ?? {})).toEqual(['yard', 'hall']);
    expect(Object.keys(applied.at(-1)?.streams ?? {})).toEqual(['yard']);
    expect(await readFile(path, 'utf8')).toBe('no: such\n');
  });

  it('goes on with the next edit after one that failed, and with none when the server stops', async () => {
    const { file, add, entries } = await setUp('demo: false\n');
    const results = await Promise.allSettled([entries.remove('nobody'), add('yard'), add('hall')]);
    expect(results.map(({ status }) => status)).toEqual(['rejected', 'fulfilled', 'fulfilled']);
    await file[Symbol.asyncDispose]();
    await expect(add('late')).rejects.toMatchObject({ code: 'CONFIG_NOT_APPLIED', status: 503 });
  });
});

describe('a stream of the configuration', () => {
  it('is set only where there is none, changed only where there is one, and cannot be saved without a file', async () => {
    const { add, entries } = await setUp();
    await add('yard');
    const fresh = entries.set('yard', { keys: { source: 'testsrc' }, whole: true, fresh: true });
    await expect(fresh).rejects.toMatchObject({ code: 'STREAM_CONFIGURED', status: 412 });
    const other = entries.set('hall', { keys: { loop: false }, whole: false });
    await expect(other).rejects.toMatchObject({ code: 'STREAM_NOT_CONFIGURED', status: 404 });
    const without = new StreamEntries({ file: () => undefined, config: defaultConfig });
    await expect(without.remove('yard')).rejects.toMatchObject({ code: 'CONFIG_NO_FILE', status: 409 });
  });

  it('has its file beside the configuration, and stays trusted while it is the same one', async () => {
    const { folder, path, entries } = await setUp('streams:\n  a: { source: films/a.mp4 }\n');
    await entries.set('a', { keys: { source: 'films/a.mp4', loop: false }, whole: true });
    expect(await readFile(path, 'utf8')).toBe('streams:\n  a: { source: films/a.mp4, loop: false }\n');
    await entries.set('a', { keys: { source: join(folder, 'films/b.mp4') }, whole: false });
    expect(entries.list().get('a')).toMatchObject({
      source: join(folder, 'films/b.mp4'),
      restricted: ['source'],
    });
    await entries.set('a', { keys: { standby: 'films/card.png', fill: 'films/a.mp4' }, whole: false });
    expect(entries.list().get('a')).toMatchObject({
      ...{ fill: join(folder, 'films/a.mp4'), standby: join(folder, 'films/card.png') },
      restricted: ['source', 'fill', 'standby'],
    });
  });

  it('has a name that streams can have, or a pattern that can be read', async () => {
    const { entries } = await setUp();
    const set = (name: string, keys = {}) =>
      entries.set(name, { keys: { source: 'rtsp://cam/$1', ...keys }, whole: true });
    for (const name of ['', 'api/x', 'a//b', 'a b', '__proto__'])
      await expect(set(name), name).rejects.toMatchObject({ code: 'STREAM_NAME_INVALID' });
    for (const [name, keys] of [['~('], ['~a'], ['yard/*', { onDemand: false }]] as const)
      await expect(set(name, keys), name).rejects.toMatchObject({
        code: 'REQUEST_INVALID',
        message: expect.stringContaining(`"streams.${name}`),
      });
    expect(await set('yard/*')).toBe(true);
    await entries.remove('yard/*');
  });
});
