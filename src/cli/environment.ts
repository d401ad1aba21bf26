import type { ConfigurationSource } from '#app/configuration-file.ts';
import type { SluiceServer } from '#app/server.ts';
import type { transport } from '#app/transport.ts';
import type { Config } from '#config/schema.ts';
import type { ProbeReport } from '#link/messages.ts';
import type { Clock } from '#util/clock.ts';
import type { ServerTrust } from '#util/server-trust.ts';

export type Signal = 'SIGINT' | 'SIGTERM' | 'SIGHUP' | 'SIGPIPE';

/** What the commands use of the world, so that tests can give them another one. */
export interface CliEnvironment {
  /** Writes a line, or several, of what was asked for. */
  readonly print: (text: string) => void;
  /** Writes a line about what went wrong. */
  readonly complain: (text: string) => void;
  /** SIGPIPE: whoever read what is written is gone. */
  readonly signals: {
    on(signal: Signal, listener: () => void): unknown;
    off(signal: Signal, listener: () => void): unknown;
  };
  /** The terminal that a line which changes can be written on; undefined where there is none. */
  readonly live: { columns(): number; write(text: string): void } | undefined;
  /** Time for what is shown. */
  readonly clock: Clock;
  readonly transport: typeof transport;
  /** In a terminal SIGHUP means that it was closed, and ends the server; elsewhere it has the configuration read. */
  readonly inTerminal: boolean;
  /** Ends the process at once. */
  readonly exit: (status: number) => void;
  readonly loadConfig: (path: string | undefined) => Promise<Config>;
  readonly createServer: (
    config: Config,
    source: ConfigurationSource,
  ) => Promise<Pick<SluiceServer, 'addresses' | 'close'>>;
  /** All of the standard input. */
  readonly readInput: () => Promise<string>;
  readonly probe: (address: string, trust: ServerTrust) => Promise<ProbeReport>;
}

/** The command line is not one that there is; the process ends with status 2. */
export class UsageError extends Error {}
