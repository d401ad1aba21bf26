import { type Logger, pino } from 'pino';
import pretty from 'pino-pretty';
import type { Config } from '#config/schema.ts';

export type { Logger } from 'pino';

/** Addresses in log lines must not give away what stands before their @. */
const CREDENTIALS = /\b([a-z][a-z0-9+.-]*:\/\/)[^/\s@]+@/gi;

/** The log of a process: to standard error, for people on a terminal, else one JSON object a line. */
export function createLogger(settings: Config['log']): Logger {
  return createLog(settings).logger;
}

/** A log whose level and format may change while it is in use. */
export interface Log {
  readonly logger: Logger;
  configure(settings: Config['log']): void;
}

/** @param given a logger that is used as it is, and keeps its format */
export function createLog(settings: Config['log'], given?: Logger): Log {
  let write = given ? undefined : writer(settings);
  const logger =
    given ??
    pino(
      { level: settings.level, base: null, hooks: { streamWrite: withoutCredentials } },
      { write: (line) => write?.(line) },
    );
  return {
    logger,
    configure(changed) {
      logger.level = changed.level;
      if (write) write = writer(changed);
    },
  };
}

function writer({ format }: Config['log']): (line: string) => void {
  const forPeople = format === 'pretty' || (format === 'auto' && process.stderr.isTTY);
  const stream = forPeople
    ? pretty({
        destination: 2,
        sync: true,
        colorize: process.stderr.isTTY,
        ignore: 'pid,hostname',
        translateTime: 'HH:MM:ss',
      })
    : pino.destination({ dest: 2, sync: true });
  return (line) => void stream.write(line);
}

/** A log that hands on what somebody should know, as sentences. */
export function messageLogger(write: (level: 'warn' | 'error', message: string) => void): Logger {
  const line = (text: string) => {
    const { level, msg } = JSON.parse(text) as { readonly level: number; readonly msg: string };
    write(level >= 50 ? 'error' : 'warn', msg);
  };
  return pino({ level: 'warn', base: null, hooks: { streamWrite: withoutCredentials } }, { write: line });
}

/** The line with `user:password@` of every address in it masked. */
export function withoutCredentials(line: string): string {
  return line.replace(CREDENTIALS, '$1***@');
}
