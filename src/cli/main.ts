/** The command `sluice`; bin/sluice.mjs and `npm start` come here. */

import { text } from 'node:stream/consumers';
import { loadConfig } from '#config/load.ts';
import { parsePublishedName } from '#hub/name.ts';
import { systemClock } from '#util/clock.ts';
import { runCli } from './cli.ts';

// Without a listener the end of a pipe, or of a terminal, would be an exception.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => process.emit('SIGPIPE'));

const { stderr } = process;
const code = await runCli(process.argv.slice(2), {
  print: (text) => process.stdout.write(`${text}\n`),
  complain: (text) => process.stderr.write(`${text}\n`),
  signals: process,
  live: stderr.isTTY
    ? { columns: () => stderr.columns || 80, write: (text) => stderr.write(text) }
    : undefined,
  clock: systemClock,
  transport: async (entry, options) => (await import('#app/transport.ts')).transport(entry, options),
  inTerminal: process.platform === 'win32' || process.stdin.isTTY || process.stdout.isTTY,
  exit: (status) => process.exit(status),
  loadConfig: (path) => loadConfig(path, { streamName: parsePublishedName }),
  // Loaded only when wanted: --help and mistakes are answered at once.
  createServer: async (config, source) => (await import('#app/server.ts')).createServer(config, { source }),
  readInput: () => text(process.stdin),
  probe: async (address, trust) => (await import('#app/probe.ts')).probe(address, trust),
});
process.exitCode = code;
// Whatever is still open now has no work left, and must not keep the terminal waiting.
setTimeout(() => process.exit(code), 500).unref();
