import { Backoff } from '#util/backoff.ts';
import type { Clock } from '#util/clock.ts';
import { type Group, type StartGroup, startCommand } from './command.ts';
import type { HookEvent } from './event.ts';

/** Between SIGTERM and SIGKILL. */
const PATIENCE_MS = 5000;
/** A command that ran for so long was well: its next end counts as the first. */
const HEALTHY_MS = 30_000;

/**
 * A command that runs as long as its reason lasts. When it ends by itself it is started again, if that is wished, with a
 * back-off.
 */
export class WhileCommand {
  readonly event: HookEvent;
  restarts = 0;
  /** When it was started the last time, ms since 1970. */
  since: number;
  readonly #argv: readonly string[];
  readonly #restart: boolean;
  readonly #clock: Clock;
  readonly #start: StartGroup;
  readonly #onEnd: (code: number | undefined, stderr: string, again: boolean) => void;
  readonly #backoff: Backoff;
  #group: Group | undefined;
  #cancel = () => {};
  #ending: Promise<void> | undefined;

  constructor(options: {
    argv: readonly string[];
    /** What its reason began with. */
    event: HookEvent;
    restart: boolean;
    clock: Clock;
    start: StartGroup;
    /** It ended, by itself or because its reason did; `again`: it will be started again. */
    onEnd: (code: number | undefined, stderr: string, again: boolean) => void;
  }) {
    this.event = options.event;
    this.#argv = options.argv;
    this.#restart = options.restart;
    this.#clock = options.clock;
    this.#start = options.start;
    this.#onEnd = options.onEnd;
    this.#backoff = new Backoff({ minimum: 1000, maximum: 30_000 });
    this.since = this.#clock.now();
    this.#run();
  }

  get pid(): number | undefined {
    return this.#group?.pid;
  }

  /** Its reason is over. Resolves when nothing of it is left. Idempotent. */
  end(patienceMs = PATIENCE_MS): Promise<void> {
    this.#cancel();
    const group = this.#group;
    // Called again with less patience it hurries.
    if (group) this.#ending = group.end(patienceMs).then(() => {});
    return this.#ending ?? Promise.resolve();
  }

  #run(): void {
    const group = startCommand(this.#argv, this.event, this.#start);
    this.#group = group;
    this.since = this.#clock.now();
    void group.ended.then(({ code, stderr }) => {
      this.#group = undefined;
      const again = this.#restart && this.#ending === undefined;
      this.#onEnd(code, stderr, again);
      if (!again) return;
      if (this.#clock.now() - this.since >= HEALTHY_MS) this.#backoff.reset();
      this.#cancel = this.#clock.after(this.#backoff.next(), () => {
        this.restarts++;
        this.#run();
      });
    });
  }
}
