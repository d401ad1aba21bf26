import { watch as watchPath } from 'node:fs';
import { basename, dirname } from 'node:path';
import { type Clock, systemClock } from '#util/clock.ts';
import { messageOf } from '#util/named-error.ts';

/** Watches a folder; tells the name of what changed in it, or undefined where the system does not say. */
export type WatchFolder = (
  folder: string,
  onEvent: (name: string | undefined) => void,
  onError: (error: unknown) => void,
) => () => void;

export interface WatchOptions {
  /** Absolute path; the file need not be there. */
  readonly file: string;
  /** The file may be another one now (nobody knows before it is read), or somebody asked for it to be read. */
  readonly onChange: (cause: 'file' | 'signal') => void;
  /** Changes will not be noticed any more, and why, in a sentence. */
  readonly onBlind: (reason: string) => void;
  /** Where SIGHUP comes; without it no signal is listened to. */
  readonly signals?: Signals | undefined;
  readonly clock?: Clock;
  /** Editors write in several steps: a change is told when none came for so long. Default 200. */
  readonly quietMs?: number;
  readonly watchFolder?: WatchFolder;
}

export interface Signals {
  on(signal: 'SIGHUP', listener: () => void): unknown;
  off(signal: 'SIGHUP', listener: () => void): unknown;
}

/**
 * Notices changes of a file until it is disposed of. It watches the folder, since editors put a new file in the place
 * of the old one, and Kubernetes turns the link `..data` beside it.
 */
export function watchFile(options: WatchOptions): Disposable {
  const { file, onChange, onBlind, signals } = options;
  const clock = options.clock ?? systemClock;
  let cancelQuiet = () => {};
  let unwatch = () => {};
  const blind = (error: unknown) => {
    unwatch();
    onBlind(`Changes of ${file} are not noticed (${messageOf(error)}); SIGHUP has it read again.`);
  };
  const noticed = (name: string | undefined) => {
    if (name !== undefined && name !== basename(file) && !name.startsWith('..')) return;
    cancelQuiet();
    cancelQuiet = clock.after(options.quietMs ?? 200, () => onChange('file'));
  };
  const told = () => onChange('signal');
  try {
    unwatch = (options.watchFolder ?? watchFolder)(dirname(file), noticed, blind);
  } catch (error) {
    blind(error);
  }
  signals?.on('SIGHUP', told);
  return {
    [Symbol.dispose]() {
      cancelQuiet();
      unwatch();
      signals?.off('SIGHUP', told);
    },
  };
}

const watchFolder: WatchFolder = (folder, onEvent, onError) => {
  const watcher = watchPath(folder, { persistent: false }, (_kind, name) => onEvent(name ?? undefined));
  watcher.on('error', onError);
  return () => watcher.close();
};
