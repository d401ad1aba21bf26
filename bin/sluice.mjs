#!/usr/bin/env node
// The command `sluice`, for any Node from 20 on. Sluice itself runs on Node 24, which strips types from the sources
// as they are; where the machine's Node is older, the one that came as a dependency takes over.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const main = join(dirname(fileURLToPath(import.meta.url)), '..', 'src', 'cli', 'main.ts');

// With glibc, the largest block that was ever given back raises the size from which on blocks are, so that what a burst
// took would stay for good. A threshold that is set stays where it is; the library reads it when a process begins.
const environment = { MALLOC_MMAP_THRESHOLD_: '131072', ...process.env };

if (Number.parseInt(process.versions.node, 10) >= 24) {
  if (process.platform === 'linux' && process.env.MALLOC_MMAP_THRESHOLD_ === undefined && process.execve) {
    process.execve(
      process.execPath,
      [process.execPath, ...process.execArgv, main, ...process.argv.slice(2)],
      environment,
    );
  }
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
    const command = [...(binds ? ['setpriv', ...bound] : []), node, main, ...process.argv.slice(2)];
    const child = spawn(command[0], command.slice(1), { stdio: 'inherit', env: environment });
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
