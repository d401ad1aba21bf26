/**
 * Process that runs pipelines: the only one that loads FFmpeg. It connects to the hub's link (SLUICE_LINK, the address
 * with its token) under the name SLUICE_WORKER, does what the tasks say, and ends when the link or whoever started it
 * is gone. It is made to crash: a fault that no task has to answer for ends it, and it is started again.
 */
import { LinkClient } from '#link/client.ts';
import { logErrorsTo } from '#pipelines/av/library.ts';
import { WorkerTasks } from '#pipelines/worker-tasks.ts';
import { messageOf } from '#util/named-error.ts';

/** How long the end may take; then the process is killed by itself, native calls and all. */
const FAREWELL_MS = 1500;

const { SLUICE_LINK: address, SLUICE_WORKER: name, SLUICE_HOST_MEMORY_MB: hostMemoryMb } = process.env;
if (!address || !name) {
  console.error('A worker needs SLUICE_LINK and SLUICE_WORKER; it is started by "sluice serve".');
  process.exit(2);
}

let link: LinkClient | undefined;
let tasks: WorkerTasks | undefined;
let ending = false;

async function end(code: number): Promise<void> {
  if (ending) return;
  ending = true;
  // process.exit() waits for native calls in the pool; a kill does not.
  setTimeout(() => process.kill(process.pid, 'SIGKILL'), FAREWELL_MS);
  // An algorithm that hangs would not notice that we are gone.
  tasks?.kill();
  await tasks?.close();
  link?.close();
  process.exit(code);
}

function crash(error: unknown): void {
  const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
  console.error(message);
  link?.send({ type: 'log', level: 'error', message: `The worker ends by a fault of its own: ${message}` });
  tasks?.kill();
  // The message has to leave the process first.
  setTimeout(() => process.exit(1), 100);
}

process.on('uncaughtException', crash);
process.on('unhandledRejection', crash);
process.on('disconnect', () => void end(0));
process.on('SIGTERM', () => void end(0));
// Ctrl-C reaches every process of the terminal; it is the server that ends its workers.
process.on('SIGINT', () => {});

try {
  link = await LinkClient.connect(address, name);
} catch (error) {
  console.error(`The worker cannot reach the hub: ${messageOf(error)}`);
  process.exit(1);
}
const connected = link;
tasks = new WorkerTasks(connected, hostMemoryMb === undefined ? undefined : Number(hostMemoryMb) * 2 ** 20);
logErrorsTo((message) => connected.send({ type: 'log', level: 'debug', message: `FFmpeg: ${message}` }));
connected.events.on('closed', () => void end(0));
