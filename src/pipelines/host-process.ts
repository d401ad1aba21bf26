import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { FromHost, ToHost } from '#algorithms/host-messages.ts';

/** A running algorithm host as its supervisor sees it; a test makes its own. */
export interface HostProcess {
  send(message: ToHost): void;
  /** Asks it to end: it does when its channel is closed. */
  disconnect(): void;
  /** Ends it at once, whatever it is doing. */
  kill(): void;
  onMessage(listener: (message: FromHost) => void): void;
  /** Called once, when the process is gone or could not be started. */
  onExit(listener: (reason: string) => void): void;
}

const ENTRY = fileURLToPath(new URL('../app/algorithm-host.ts', import.meta.url));

/** Starts an algorithm host for a manifest. */
export function forkHost(manifest: string): HostProcess {
  // The address of the link carries its token: no business of an algorithm, which may be anybody's plug-in.
  const { SLUICE_LINK: _link, ...env } = process.env;
  const child = fork(ENTRY, [manifest], {
    serialization: 'advanced',
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    env,
  });
  return {
    send: (message) => {
      // An error here means that the process is going; its exit says why.
      if (child.connected) child.send(message, () => {});
    },
    disconnect: () => {
      if (child.connected) child.disconnect();
    },
    kill: () => {
      child.kill('SIGKILL');
    },
    onMessage: (listener) => {
      child.on('message', (message) => listener(message as FromHost));
    },
    onExit: (listener) => {
      let told = false;
      const tell = (reason: string) => {
        if (!told) listener(reason);
        told = true;
      };
      child.on('exit', (code, signal) =>
        tell(signal ? `it was ended by ${signal}` : `it ended with code ${code}`),
      );
      child.on('error', (error) => tell(error.message));
    },
  };
}
