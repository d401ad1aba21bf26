import type { Clock } from '#util/clock.ts';

/** Lines of a job that are kept. */
const MOST = 50;

export interface JobLogLine {
  /** Ms since 1970. */
  readonly time: number;
  readonly level: 'info' | 'warn' | 'error';
  readonly message: string;
}

/** The latest lines about one job, oldest first. What goes on, or comes again and again, is said once. */
export class JobLog {
  readonly #clock: Clock;
  readonly #lines: JobLogLine[] = [];
  /** What was said last of each part. */
  readonly #said = new Map<string, string>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get lines(): readonly JobLogLine[] {
    return [...this.#lines];
  }

  /** @param part of the job, which said the same before or not */
  add(part: string, level: JobLogLine['level'], message: string): void {
    if (this.#said.get(part) === message) return;
    this.#said.set(part, message);
    this.#lines.push({ time: this.#clock.now(), level, message });
    if (this.#lines.length > MOST) this.#lines.shift();
  }
}
