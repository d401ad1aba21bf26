import { EventEmitter, once } from 'node:events';
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { VirtualClock } from '#util/clock.ts';
import { type WatchOptions, watchFile } from './watch.ts';

function setUp(more: Partial<WatchOptions> = {}) {
  const clock = new VirtualClock();
  const signals = new EventEmitter();
  const told: string[] = [];
  const folders: string[] = [];
  let event: (name: string | undefined) => void = () => {};
  let fail: (error: unknown) => void = () => {};
  let watching = false;
  const watch = watchFile({
    file: '/etc/sluice/sluice.yml',
    onChange: (cause) => told.push(cause),
    onBlind: (reason) => told.push(reason),
    signals,
    clock,
    watchFolder: (folder, onEvent, onError) => {
      folders.push(folder);
      watching = true;
      event = onEvent;
      fail = onError;
      return () => {
        watching = false;
      };
    },
    ...more,
  });
  return {
    clock,
    signals,
    told,
    folders,
    watch,
    event: (name?: string) => event(name),
    fail: (error: unknown) => fail(error),
    watching: () => watching,
  };
}

describe('a file that is watched', () => {
  it('is told once when the writing of it has come to rest', () => {
    const { clock, told, folders, event } = setUp();
    expect(folders).toEqual(['/etc/sluice']);
    for (let n = 0; n < 5; n++) {
      event('sluice.yml');
      clock.advance(150);
    }
    expect(told).toEqual([]);
    clock.advance(50);
    expect(told).toEqual(['file']);
    clock.advance(10_000);
    expect(told).toEqual(['file']);
  });

  it('is told when a link beside it turns, or the system does not say what changed, but not for its neighbours', () => {
    const { clock, told, event } = setUp();
    event('sluice.yml.swp');
    event('other.yml');
    clock.advance(1000);
    expect(told).toEqual([]);
    event('..data');
    clock.advance(200);
    event();
    clock.advance(200);
    expect(told).toEqual(['file', 'file']);
  });

  it('is told at once on SIGHUP, also when its folder cannot be watched', () => {
    const { signals, told } = setUp({
      watchFolder: () => {
        throw new Error('no such folder');
      },
    });
    expect(told).toEqual([expect.stringContaining('no such folder')]);
    signals.emit('SIGHUP');
    expect(told.slice(1)).toEqual(['signal']);
  });

  it('says that it goes blind when watching fails', () => {
    const { told, fail, watching } = setUp();
    fail(new Error('too many watches'));
    expect(told).toEqual([expect.stringContaining('too many watches')]);
    expect(watching()).toBe(false);
  });

  it('leaves no timer, watch or listener when it is over', () => {
    const { clock, signals, told, event, watch, watching } = setUp();
    event('sluice.yml');
    watch[Symbol.dispose]();
    expect(clock.pending).toBe(0);
    expect(signals.listenerCount('SIGHUP')).toBe(0);
    expect(watching()).toBe(false);
    expect(told).toEqual([]);
  });

  it('is told when an editor puts a new file in its place', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'sluice-watch-'));
    const file = join(folder, 'sluice.yml');
    writeFileSync(file, 'demo: true');
    const changes = new EventEmitter();
    const watch = watchFile({
      file,
      quietMs: 1,
      onChange: () => changes.emit('change'),
      onBlind: (reason) => changes.emit('error', new Error(reason)),
    });
    for (let n = 0; n < 2; n++) {
      const changed = once(changes, 'change', { signal: AbortSignal.timeout(4000) });
      writeFileSync(`${file}.new`, 'demo: false');
      renameSync(`${file}.new`, file);
      await expect(changed).resolves.toEqual([]);
    }
    watch[Symbol.dispose]();
    rmSync(folder, { recursive: true });
  });
});
