import { type Signals, watchFile } from '#config/watch.ts';
import type { Logger } from './logger.ts';

/** Notices that the files of the certificate changed: whoever renews certificates restarts no server for it. */
export class CertificateWatch implements Disposable {
  readonly #log: Logger;
  readonly #signals: Signals | undefined;
  readonly #onChange: () => void;
  #watched = new DisposableStack();

  constructor(options: { log: Logger; signals: Signals | undefined; onChange: () => void }) {
    this.#log = options.log;
    this.#signals = options.signals;
    this.#onChange = options.onChange;
  }

  /** From now on these files; empty paths are none. */
  watch({ cert, key }: { readonly cert: string; readonly key: string }): void {
    this.#watched.dispose();
    this.#watched = new DisposableStack();
    for (const file of [cert, key].filter(Boolean)) {
      this.#watched.use(
        watchFile({
          file,
          // Once is enough for both files.
          signals: file === cert ? this.#signals : undefined,
          onChange: () => this.#onChange(),
          onBlind: (reason) => this.#log.warn(reason),
        }),
      );
    }
  }

  [Symbol.dispose](): void {
    this.#watched.dispose();
  }
}
