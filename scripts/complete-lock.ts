/**
 * `npm run lock`: adds to package-lock.json what npm leaves out when it writes the file beside an existing
 * node_modules, or with a registry that has only this platform's packages: the optional packages of other platforms.
 * Without them `npm ci` refuses the file as out of step with package.json. An entry made here has no checksum.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

interface LockEntry {
  readonly version?: string;
  readonly dev?: boolean;
  readonly optional?: boolean;
  readonly cpu?: readonly string[];
  readonly os?: readonly string[];
  readonly libc?: readonly string[];
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

export interface Lock {
  readonly packages: Readonly<Record<string, LockEntry>>;
}

const SYSTEMS = new Set(['android', 'darwin', 'freebsd', 'linux', 'openharmony', 'win32']);
const PROCESSORS = new Set(['arm', 'arm64', 'ia32', 'loong64', 'ppc64', 'riscv64', 's390x', 'wasm32', 'x64']);

/** Optional packages that an entry names and the file does not have: name, range, and where it is wanted. */
export function missingPackages(lock: Lock): { name: string; range: string; wantedBy: string }[] {
  return Object.entries(lock.packages).flatMap(([wantedBy, entry]) =>
    Object.entries(entry.optionalDependencies ?? {})
      .filter(([name]) => !resolves(lock, wantedBy, name))
      .map(([name, range]) => ({ name, range, wantedBy })),
  );
}

/** The file with an entry for each missing package, sorted as npm sorts it. */
export function completeLock<L extends Lock>(lock: L): L {
  const packages: Record<string, LockEntry> = { ...lock.packages };
  for (const { name, range, wantedBy } of missingPackages(lock)) {
    packages[`node_modules/${name}`] = {
      version: range.replace(/^[\^~]/, ''),
      ...platformOf(name),
      ...(lock.packages[wantedBy]?.dev ? { dev: true } : {}),
      optional: true,
    };
  }
  const sorted = Object.entries(packages).sort(([a], [b]) => (a < b ? -1 : 1));
  return { ...lock, packages: Object.fromEntries(sorted) };
}

/** Node's way of looking for a package: beside, then in every folder above. */
function resolves(lock: Lock, from: string, name: string): boolean {
  for (let folder = from; ; folder = folder.slice(0, Math.max(0, folder.lastIndexOf('/node_modules/')))) {
    if (Object.hasOwn(lock.packages, `${folder === '' ? '' : `${folder}/`}node_modules/${name}`)) return true;
    if (folder === '') return false;
  }
}

/** Packages of one platform have it in their name: `@oxlint/binding-linux-x64-musl`. */
function platformOf(name: string): Pick<LockEntry, 'os' | 'cpu' | 'libc'> {
  if (name === 'fsevents') return { os: ['darwin'] };
  const words = (name.split('/').at(-1) ?? '').split('-');
  const system = words.find((word) => SYSTEMS.has(word));
  const processor = words.find((word) => PROCESSORS.has(word));
  return {
    ...(processor ? { cpu: [processor] } : {}),
    ...(words.includes('musl') || words.at(-1)?.startsWith('musl') ? { libc: ['musl'] } : {}),
    ...(system ? { os: [system] } : {}),
  };
}

if (import.meta.main) {
  const file = join(import.meta.dirname, '..', 'package-lock.json');
  const lock = JSON.parse(readFileSync(file, 'utf8')) as Lock;
  const missing = missingPackages(lock);
  if (missing.length > 0) writeFileSync(file, `${JSON.stringify(completeLock(lock), null, 2)}\n`);
  console.log(`${missing.length} packages of other platforms added to package-lock.json`);
}
