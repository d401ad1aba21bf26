import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { type Change, describeChanges, diffConfig } from '#config/diff.ts';
import { loadConfig, parseConfig } from '#config/load.ts';
import type { Config } from '#config/schema.ts';
import { StagedFile } from '#config/staged-file.ts';
import { type Signals, watchFile } from '#config/watch.ts';
import { parsePublishedName } from '#hub/name.ts';
import { messageOf, NamedError } from '#util/named-error.ts';
import type { Logger } from './logger.ts';
import type { Rooms } from './rooms.ts';

/** Where the configuration of a server comes from. */
export interface ConfigurationSource {
  /** Absolute path of the file. It need not be there: then the defaults go until it is. */
  readonly file: string;
  /** Where SIGHUP comes; without it no signal is listened to. */
  readonly signals?: Signals | undefined;
}

export interface ConfigurationState {
  readonly file: string;
  /** When the configuration at work was read, ms since 1970. */
  readonly loadedAt: number;
  /** Why the file as it is now is not at work. */
  readonly error?: { readonly code: string; readonly message: string };
}

/** How often an edit begins anew because somebody wrote the file meanwhile. */
const EDIT_ATTEMPTS = 3;

/**
 * The configuration file of a running server: it is read when it changes, and has to be right as a whole before
 * anything of it goes. A file that was there and is gone is an error, since it may be about to be replaced.
 *
 * It is also written, by `edit`: always from what is on the disk, so that what was written by hand goes into it too, and
 * one after the other with everything that reads it.
 */
export class ConfigurationFile implements AsyncDisposable {
  readonly #file: string;
  readonly #rooms: Rooms;
  readonly #log: Logger;
  readonly #onApplied: () => void;
  readonly #watch: Disposable;
  #state: ConfigurationState;
  #wasThere: boolean;
  /** What we wrote last and have not seen come back from the watch. */
  #written: string | undefined;
  /** Readings and edits, one after the other. */
  #last: Promise<void> = Promise.resolve();
  #closed = false;

  constructor(
    { file, signals }: ConfigurationSource,
    options: { readonly rooms: Rooms; readonly log: Logger; readonly onApplied: () => void },
  ) {
    this.#file = file;
    this.#rooms = options.rooms;
    this.#log = options.log;
    this.#onApplied = options.onApplied;
    this.#wasThere = existsSync(file);
    this.#state = { file, loadedAt: Date.now() };
    this.#watch = watchFile({
      file,
      signals,
      onChange: (cause) => this.#enqueue(cause),
      onBlind: (reason) => this.#log.warn(reason),
    });
  }

  get state(): ConfigurationState {
    return this.#state;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    this.#watch[Symbol.dispose]();
    await this.#last;
  }

  /**
   * Writes the file anew and takes it up; a file that was not there yet is made.
   * @param change gives the new text for the present one, which parses; called again where somebody writes the file
   *   meanwhile
   * @throws NamedError what `change` throws; CONFIG_BROKEN (409) where the file on the disk has an error; CONFIG_BUSY
   *   (409); CONFIG_NOT_WRITABLE; what `Rooms.apply` throws. Nothing is changed then
   */
  edit(change: (text: string, config: Config) => string | Promise<string>): Promise<void> {
    const edited = this.#last.then(() => this.#edit(change));
    this.#last = edited.catch(() => {});
    return edited;
  }

  #enqueue(cause: 'file' | 'signal'): void {
    this.#last = this.#last.then(() => this.#read(cause));
  }

  async #edit(change: (text: string, config: Config) => string | Promise<string>): Promise<void> {
    /** What was at work before something was taken up that is not in the file yet. */
    let before: Config | undefined;
    try {
      for (let attempt = 0; attempt < EDIT_ATTEMPTS; attempt++) {
        if (this.#closed) throw new NamedError('CONFIG_NOT_APPLIED', 'The server is stopping.', 503);
        const text = await this.#text();
        const next = await change(text, this.#parsed(text));
        if (next === text) return;
        const config = parseConfig(next, this.#file, { streamName: parsePublishedName });
        await using staged = await StagedFile.write(this.#file, next);
        if ((await this.#text()) !== text) continue;
        const was = this.#rooms.config;
        await this.#rooms.apply(config, this.#file);
        before ??= was;
        if ((await this.#text()) !== text) continue;
        await staged.commit();
        this.#saved(next, diffConfig(before, config));
        before = undefined;
        return;
      }
      throw new NamedError(
        'CONFIG_BUSY',
        `The configuration file ${this.#file} is being written by somebody else. Try again in a moment.`,
        409,
      );
    } finally {
      // Whoever wrote it meanwhile is heard by the watch.
      if (before) await this.#rooms.apply(before, this.#file);
    }
  }

  #saved(text: string, changes: readonly Change[]): void {
    this.#wasThere = true;
    this.#written = text;
    this.#state = { file: this.#file, loadedAt: Date.now() };
    this.#log.info(`configuration changed over the API: ${describeChanges(changes)}`);
    this.#onApplied();
  }

  /** The file as it is now; empty where there is none and never was one. */
  async #text(): Promise<string> {
    try {
      return await readFile(this.#file, 'utf8');
    } catch (error) {
      if (!this.#wasThere && (error as NodeJS.ErrnoException).code === 'ENOENT') return '';
      throw this.#broken(error);
    }
  }

  #parsed(text: string): Config {
    try {
      return parseConfig(text, this.#file, { streamName: parsePublishedName });
    } catch (error) {
      throw this.#broken(error);
    }
  }

  #broken(cause: unknown): NamedError {
    const sentence = `The configuration file ${this.#file} has an error, so it is not written over: ${messageOf(cause)} Mend it first.`;
    return new NamedError('CONFIG_BROKEN', sentence, 409, { cause });
  }

  async #read(cause: 'file' | 'signal'): Promise<void> {
    if (this.#closed) return;
    try {
      if (cause === 'file' && (await this.#isOurs())) return;
      const config = await this.#load();
      if (this.#closed || !config) return;
      const changes = await this.#rooms.apply(config, this.#file);
      const mended = this.#state.error !== undefined;
      this.#state = { file: this.#file, loadedAt: Date.now() };
      if (changes.length > 0) this.#log.info(`configuration changed: ${describeChanges(changes)}`);
      else if (mended || cause === 'signal') this.#log.info('configuration read again: nothing changed');
      if (changes.length > 0) this.#onApplied();
    } catch (error) {
      this.#refuse(error);
    }
  }

  /** Whether the file is what we wrote and have taken up; asked once for each time. */
  async #isOurs(): Promise<boolean> {
    const written = this.#written;
    if (written === undefined) return false;
    this.#written = undefined;
    return (await this.#text()) === written;
  }

  /** Undefined where there is no file and never was one. */
  async #load(): Promise<Config | undefined> {
    if (!this.#wasThere && !existsSync(this.#file)) return undefined;
    this.#wasThere = true;
    return loadConfig(this.#file, { streamName: parsePublishedName });
  }

  #refuse(error: unknown): void {
    const message = messageOf(error);
    const code = error instanceof NamedError ? error.code : 'CONFIG_NOT_APPLIED';
    // Seen already: something else in the folder was written.
    if (this.#state.error?.message === message) return;
    this.#state = { ...this.#state, error: { code, message } };
    const fault = error instanceof NamedError ? {} : { err: error };
    this.#log.error({ code, ...fault }, `configuration not changed: ${message}`);
  }
}
