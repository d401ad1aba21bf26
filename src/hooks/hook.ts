import type { Clock } from '#util/clock.ts';
import { runCommand, type StartGroup } from './command.ts';
import { DeliveryQueue, type LastOutcome, type QueueCounters } from './delivery-queue.ts';
import type { EventType, HookEvent } from './event.ts';
import { streamPattern } from './pattern.ts';
import { WebHook } from './web-hook.ts';
import { WhileCommand } from './while-command.ts';

/** One hook of the configuration. */
export interface HookSettings {
  readonly on?: readonly EventType[] | undefined;
  /** Instead of `on`: the command runs while the stream is published, or read by somebody. */
  readonly while?: 'published' | 'read' | undefined;
  readonly streams: string;
  readonly url?: string | undefined;
  readonly command?: readonly string[] | undefined;
  readonly secret?: string | undefined;
  readonly timeoutSeconds: number;
  readonly restart: boolean;
}

/** A hook as the API shows it: nothing in it is secret. */
export interface HookInfo {
  readonly on?: readonly EventType[];
  readonly while?: 'published' | 'read';
  readonly streams: string;
  /** Address without credentials and query, or the program of the command. */
  readonly target: string;
  readonly queued: number;
  readonly counters: QueueCounters;
  readonly last?: LastOutcome;
  readonly running: readonly {
    readonly stream: string;
    readonly pid?: number;
    readonly since: number;
    readonly restarts: number;
  }[];
}

export interface HookParts {
  readonly clock: Clock;
  readonly start: StartGroup;
  readonly log: (level: 'info' | 'warn', message: string) => void;
}

const BEGIN = { published: 'publish', read: 'read' } as const;
const END = { published: 'unpublish', read: 'unread' } as const;

/** One hook at work: its queue, or the commands that it keeps. */
export class Hook {
  readonly settings: HookSettings;
  readonly #parts: HookParts;
  readonly #matches: (stream: string) => boolean;
  readonly #queue: DeliveryQueue;
  /** By stream: what is there for now, by how many reasons. */
  readonly #kept = new Map<string, { command: WhileCommand; reasons: number }>();
  readonly #ending = new Set<WhileCommand>();
  #last: LastOutcome | undefined;

  constructor(settings: HookSettings, parts: HookParts) {
    this.settings = settings;
    this.#parts = parts;
    this.#matches = streamPattern(settings.streams);
    const { url, command, secret, timeoutSeconds } = settings;
    const timeoutMs = timeoutSeconds * 1000;
    const web = url === undefined ? undefined : new WebHook(url, timeoutMs, secret);
    this.#queue = new DeliveryQueue({
      clock: parts.clock,
      deliver: (event, signal) =>
        web ? web.deliver(event, signal) : runCommand(command ?? [], event, timeoutMs, signal, parts.start),
      onOutcome: (last) => this.#note(last),
    });
  }

  get info(): HookInfo {
    const { on, while: lasting, streams } = this.settings;
    return {
      ...(on ? { on } : {}),
      ...(lasting ? { while: lasting } : {}),
      streams,
      target: this.#target,
      queued: this.#queue.length,
      counters: { ...this.#queue.counters },
      ...(this.#last ? { last: this.#last } : {}),
      running: [...this.#kept].map(([stream, { command }]) => ({
        stream,
        ...(command.pid === undefined ? {} : { pid: command.pid }),
        since: command.since,
        restarts: command.restarts,
      })),
    };
  }

  take(event: HookEvent): void {
    if (!this.#matches(event.stream)) return;
    const { on, while: lasting } = this.settings;
    if (on?.includes(event.type)) this.#queue.push(event);
    this.resume(event);
    if (lasting && event.type === END[lasting]) this.#end(event.stream);
  }

  /** For a hook that is new: something that lasts began before it. */
  resume(event: HookEvent): void {
    const { while: lasting } = this.settings;
    if (lasting && event.type === BEGIN[lasting] && this.#matches(event.stream)) this.#begin(event);
  }

  /** Has `graceMs` to deliver what waits and to end what runs. */
  async close(graceMs: number): Promise<void> {
    for (const { command } of this.#kept.values()) if (command.pid !== undefined) this.#ending.add(command);
    const commands = [...this.#kept.values().map(({ command }) => command), ...this.#ending];
    this.#kept.clear();
    await Promise.all([this.#queue.close(graceMs), ...commands.map((command) => command.end(graceMs))]);
  }

  get #target(): string {
    const { url, command } = this.settings;
    if (url === undefined) return command?.[0] ?? '';
    const { origin, pathname } = new URL(url);
    return `${origin}${pathname}`;
  }

  #begin(event: HookEvent): void {
    const kept = this.#kept.get(event.stream);
    if (kept) {
      kept.reasons++;
      return;
    }
    const command = new WhileCommand({
      argv: this.settings.command ?? [],
      event,
      restart: this.settings.restart,
      clock: this.#parts.clock,
      start: this.#parts.start,
      onEnd: (code, stderr, again) => {
        const told = this.#ending.delete(command);
        const ok = told || code === 0;
        const words = stderr === '' ? '' : ` Its last words: ${stderr.split('\n').at(-1)}`;
        const sentence = `It ended with code ${code ?? 'none'}${again ? ' and is started again' : ''}.${words}`;
        const status = code === undefined ? {} : { status: code };
        const outcome = { ok, ...status, ...(ok ? {} : { message: sentence }) };
        this.#queue.counters[ok ? 'delivered' : 'failed']++;
        this.#note({ event, outcome, attempts: command.restarts + 1, at: this.#parts.clock.now() });
      },
    });
    this.#kept.set(event.stream, { command, reasons: 1 });
  }

  #end(stream: string): void {
    const kept = this.#kept.get(stream);
    if (!kept || --kept.reasons > 0) return;
    this.#kept.delete(stream);
    if (kept.command.pid !== undefined) this.#ending.add(kept.command);
    void kept.command.end();
  }

  #note(last: LastOutcome): void {
    this.#last = last;
    const { event, outcome, attempts } = last;
    const what = `hook ${this.#target} for ${event.type} of "${event.stream}"`;
    if (outcome.ok) this.#parts.log('info', `${what}: done${attempts > 1 ? ` at attempt ${attempts}` : ''}`);
    else this.#parts.log('warn', `${what}: failed after ${attempts} attempt(s). ${outcome.message ?? ''}`);
  }
}
