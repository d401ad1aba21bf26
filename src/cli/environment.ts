import type { ConfigurationSource } from '#app/configuration-file.ts';
import type { SluiceServer } from '#app/server.ts';
import type { Config } from '#config/schema.ts';
import type { ProbeReport } from '#link/messages.ts';
import type { ServerTrust } from '#util/server-trust.ts';

/** What the commands use of the world, so that tests can give them another one. */
export interface CliEnvironment {
  /** Writes a line, or several, of what was asked for. */
  readonly print: (text: string) => void;
  /** Writes a line about what went wrong. */
  readonly complain: (text: string) => void;
  readonly signals: {
    on(signal: 'SIGINT' | 'SIGTERM' | 'SIGHUP', listener: () => void): unknown;
    off(signal: 'SIGINT' | 'SIGTERM' | 'SIGHUP', listener: () => void): unknown;
  };
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
