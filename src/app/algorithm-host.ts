/**
 * Process of one algorithm: `fork('algorithm-host.ts', [manifest path], { serialization: 'advanced' })`. It loads the
 * algorithm, says `ready` or `failed`, and then answers the messages of `#algorithms/host-messages.ts` until the other
 * end goes away or it gets SIGTERM. Native code may take this process down, or block it, at any time: whoever started
 * it watches it with `ping` and by its heart-beats, and kills it with SIGKILL.
 */
import { AlgorithmHost } from '#algorithms/host.ts';
import type { FromHost, ToHost } from '#algorithms/host-messages.ts';
import { loadAlgorithm } from '#algorithms/load.ts';
import { messageOf, NamedError } from '#util/named-error.ts';
import { startHeartbeat } from './host-heartbeat.ts';

/** An algorithm that has not let go after this long is left behind by the end of the process. */
const farewellMs = 1000;

let host: AlgorithmHost | undefined;
let ending = false;

/** Sends to the other end; when that is gone, nobody is left to tell. */
function send(message: FromHost): void {
  if (process.connected) process.send?.(message, undefined, undefined, () => {});
}

/** Ends the process after the frame being looked at; events come through when the model's run has returned. */
async function end(): Promise<void> {
  if (ending) return;
  ending = true;
  const deadline = setTimeout(() => process.exit(), farewellMs);
  try {
    await host?.[Symbol.asyncDispose]();
  } catch (error) {
    console.error(`algorithm host: the algorithm did not end well: ${messageOf(error)}`);
  }
  clearTimeout(deadline);
  process.exit();
}

async function main(): Promise<void> {
  const [, , path] = process.argv;
  if (path === undefined || process.send === undefined) {
    console.error(
      'usage: fork algorithm-host.ts with the path of a manifest; it speaks over the IPC channel',
    );
    process.exit(2);
  }
  process.on('disconnect', () => void end());
  process.on('SIGTERM', () => void end());
  // Ctrl-C reaches every process of the terminal; this one ends with whoever started it.
  process.on('SIGINT', () => {});
  // Set by whoever wants heart-beats: the file descriptor for them.
  const { SLUICE_HEARTBEAT_FD: heartbeat } = process.env;
  if (heartbeat !== undefined) startHeartbeat(Number(heartbeat));
  try {
    const { manifest, algorithm } = await loadAlgorithm(path);
    host = new AlgorithmHost(manifest, algorithm, send);
    const serving = host;
    process.on('message', (message) => serving.receive(message as ToHost));
    send({ type: 'ready', manifest });
  } catch (error) {
    const code = error instanceof NamedError ? error.code : 'ALGORITHM_FAILED';
    send({ type: 'failed', code, message: messageOf(error) });
    // Leaving the channel lets the message out and then ends the process.
    process.exitCode = 1;
    process.disconnect();
  }
}

await main();
