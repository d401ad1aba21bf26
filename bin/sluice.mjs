#!/usr/bin/env node
// The command `sluice`, for any Node from 20 on. Sluice itself runs on Node 24, which strips types from the sources
// as they are; where the machine's Node is older, the one that came as a dependency takes over.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const main = join(dirname(fileURLToPath(import.meta.url)), '..', 'src', 'cli', 'main.ts');

// V8 lets its young generation grow to 192 MB on machines with much memory, and a burst makes it so for a long time. Sluice
// moves bytes that live outside of the heap: it needs little room there, and as much of it for ten cameras as for one.
const HEAP = '--max-semi-space-size=8';
const isSet = [...process.execArgv, process.env.NODE_OPTIONS ?? ''].some((option) =>
  option.includes('max-semi-space-size'),
);
const command = [...process.execArgv, ...(isSet ? [] : [HEAP]), main, ...process.argv.slice(2)];

if (Number.parseInt(process.versions.node, 10) >= 24) {
  // Only a new start takes options of V8; this one keeps process, terminal and descriptors.
  if (!isSet && process.platform !== 'win32')
    process.execve?.(process.execPath, [process.execPath, ...command]);
  await import(pathToFileURL(main).href);
} else {
  const node = bundledNode();
  if (!node) {
    console.error(
      `Sluice needs Node 24 or newer, and this is ${process.version}. Install Node 24, or run "npm ci" in the project with its development dependencies: they bring one.`,
    );
    process.exitCode = 1;
  } else {
    // Where the kernel can, it tells the server when this process was killed and could not do so itself.
    const bound = ['--pdeathsig', 'TERM', '--'];
    const binds = spawnSync('setpriv', [...bound, 'true'], { stdio: 'ignore' }).status === 0;
    const [program, ...args] = [...(binds ? ['setpriv', ...bound] : []), node, ...command];
    const child = spawn(program, args, { stdio: 'inherit' });
    // A terminal sends SIGINT to both; everybody else sends it to this process only.
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
    child.on('error', (error) => {
      console.error(`${node} could not be started: ${error.message}`);
      process.exitCode = 1;
    });
    child.on('exit', (code, signal) => {
      process.exitCode = code ?? (signal === 'SIGINT' ? 130 : 143);
    });
  }
}

function bundledNode() {
  try {
    const manifest = createRequire(import.meta.url).resolve('node/package.json');
    const binary = join(dirname(manifest), 'bin', process.platform === 'win32' ? 'node.exe' : 'node');
    return existsSync(binary) ? binary : undefined;
  } catch {
    return undefined;
  }
}
