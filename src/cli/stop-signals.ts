import type { CliEnvironment, Signal } from './environment.ts';
import { EXIT } from './exit-code.ts';

/**
 * What comes so soon after the first is the same one: a terminal sends Ctrl-C to every process of the command, and one in
 * front of this hands it on.
 */
const SAME_MS = 300;

/**
 * Calls with the first of these signals; a second Ctrl-C or SIGTERM ends the process at once.
 * @returns ends the listening
 */
export function onStopSignal(
  { signals, clock, exit }: Pick<CliEnvironment, 'signals' | 'clock' | 'exit'>,
  wanted: readonly Signal[],
  first: (signal: Signal) => void,
): () => void {
  let toldAt: number | undefined;
  const ignore = wanted.map((signal) => {
    const listener = () => {
      if (toldAt === undefined) {
        toldAt = clock.now();
        return first(signal);
      }
      const isAgain = signal === 'SIGINT' || signal === 'SIGTERM';
      if (isAgain && clock.now() - toldAt >= SAME_MS) exit(EXIT.killed);
    };
    signals.on(signal, listener);
    return () => void signals.off(signal, listener);
  });
  return () => {
    for (const one of ignore) one();
  };
}
