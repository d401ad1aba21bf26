import { existsSync } from 'node:fs';
import { describeChanges } from '#config/diff.ts';
import { loadConfig } from '#config/load.ts';
import type { Config } from '#config/schema.ts';
import { type Signals, watchFile } from '#config/watch.ts';
import { parseStreamName } from '#hub/name.ts';
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

/**
 * The configuration file of a running server: it is read when it changes, and has to be right as a whole before
 * anything of it goes. A file that was there and is gone is an error, since it may be about to be replaced.
 */
export class ConfigurationFile implements AsyncDisposable {
  readonly #file: string;
  readonly #rooms: Rooms;
  readonly #log: Logger;
  readonly #onApplied: () => void;
  readonly #watch: Disposable;
  #state: ConfigurationState;
  #wasThere: boolean;
  /** Readings, one after the other. */
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

  #enqueue(cause: 'file' | 'signal'): void {
    this.#last = this.#last.then(() => this.#read(cause));
  }

  async #read(cause: 'file' | 'signal'): Promise<void> {
    if (this.#closed) return;
    try {
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

  /** Undefined where there is no file and never was one. */
  async #load(): Promise<Config | undefined> {
    if (!this.#wasThere && !existsSync(this.#file)) return undefined;
    this.#wasThere = true;
    return loadConfig(this.#file, { streamName: parseStreamName });
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
