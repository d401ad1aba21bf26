// Runs at the end of `npm ci` and `npm install`: builds the web page, so that `npm start` can serve it.
// Plain JavaScript without dependencies, able to run on Node 20: with `--omit=dev` there is no newer one yet.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');

if (!existsSync(join(root, 'web', 'index.html'))) {
  console.log('The web page is not built: there are no sources in web/.');
} else if (!existsSync(join(root, 'node_modules', 'vite'))) {
  console.log('The web page is not built: vite is not installed (development dependencies were omitted).');
} else {
  const { status, error } = spawnSync('npm', ['run', 'build', '--workspace', 'web'], {
    cwd: root,
    stdio: 'inherit',
    shell: process.platform === 'win32',
  });
  if (error) console.error(`The web page could not be built: ${error.message}`);
  process.exitCode = status ?? 1;
}
