import { type Logger, pino } from 'pino';
import pretty from 'pino-pretty';
import type { Config } from '#config/schema.ts';

export type { Logger } from 'pino';

/** Addresses in log lines must not give away what stands before their @. */
const CREDENTIALS = /\b([a-z][a-z0-9+.-]*:\/\/)[^/\s@]+@/gi;

/** The log of a process: to standard error, for people on a terminal, else one JSON object a line. */
export function createLogger(log: Config['log']): Logger {
  const forPeople = log.format === 'pretty' || (log.format === 'auto' && process.stderr.isTTY);
  const stream = forPeople
    ? pretty({
        destination: 2,
        sync: true,
        colorize: process.stderr.isTTY,
        ignore: 'pid,hostname',
        translateTime: 'HH:MM:ss',
      })
    : pino.destination({ dest: 2, sync: true });
  return pino({ level: log.level, base: null, hooks: { streamWrite: withoutCredentials } }, stream);
}

/** The line with `user:password@` of every address in it masked. */
export function withoutCredentials(line: string): string {
  return line.replace(CREDENTIALS, '$1***@');
}
