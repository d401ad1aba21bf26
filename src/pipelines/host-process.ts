import { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import type { FromHost, ToHost } from '#algorithms/host-messages.ts';
import { forkBound } from '#util/bound-child.ts';

/** A running algorithm host as its supervisor sees it; a test makes its own. */
export interface HostProcess {
  send(message: ToHost): void;
  /** Asks it to end: it does when its channel is closed. */
  disconnect(): void;
  /** Asks it to end by SIGTERM. */
  terminate(): void;
  /** Ends it at once, whatever it is doing. */
  kill(): void;
  onMessage(listener: (message: FromHost) => void): void;
  /** Twice a second while the process is not stopped, whatever its algorithm does: its resident memory, bytes. */
  onHeartbeat(listener: (rssBytes: number) => void): void;
  /** Called once, when the process is gone or could not be started. */
  onExit(listener: (reason: string) => void): void;
}

/** Descriptor of the child on which its heart-beats come. */
const HEARTBEAT_FD = 4;
const ENTRY = fileURLToPath(new URL('../app/algorithm-host.ts', import.meta.url));

/** Starts an algorithm host for a manifest. */
export function forkHost(manifest: string): HostProcess {
  // The address of the link carries its token: no business of an algorithm, which may be anybody's plug-in.
  const { SLUICE_LINK: _link, ...env } = process.env;
  const child = forkBound(ENTRY, [manifest], {
    serialization: 'advanced',
    stdio: ['ignore', 'inherit', 'inherit', 'ipc', 'pipe'],
    env: { ...env, SLUICE_HEARTBEAT_FD: String(HEARTBEAT_FD) },
  });
  return {
    send: (message) => {
      // An error here means that the process is going; its exit says why.
      if (child.connected) child.send(message, () => {});
    },
    disconnect: () => {
      if (child.connected) child.disconnect();
    },
    terminate: () => {
      child.kill('SIGTERM');
    },
    kill: () => {
      child.kill('SIGKILL');
    },
    onMessage: (listener) => {
      child.on('message', (message) => listener(message as FromHost));
    },
    onHeartbeat: (listener) => {
      const pipe = child.stdio[HEARTBEAT_FD];
      // A process that could not be started has none.
      if (!(pipe instanceof Readable)) return;
      pipe.on('error', () => {});
      pipe.setEncoding('latin1').on('data', (text: string) => {
        const rssBytes = Number(text.trimEnd().split('\n').at(-1));
        if (rssBytes > 0) listener(rssBytes);
      });
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
