/**
 * `npm run check:rooms`: holds the import table of .dependency-cruiser.ts.
 *
 * A checker that visits nothing finds nothing (dependency-cruiser without a parser for TypeScript silently visits
 * 0 modules), so this one compares what was visited with what is on the disk.
 */
import { readdirSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { cruise, type ICruiseOptions, type ICruiseResult } from 'dependency-cruiser';
import rules from '../.dependency-cruiser.ts';
import './swc-using.ts';

export interface RoomReport {
  /** Source files that were read, relative to the root. */
  readonly visited: readonly string[];
  /** Source files on the disk that were not read; anything in here makes the check worthless. */
  readonly missed: readonly string[];
  /** One sentence per forbidden import. */
  readonly violations: readonly string[];
}

/** Checks the sources under `<root>/src`. The root needs a package.json with the `imports` of the project. */
export async function checkRooms(root: string): Promise<RoomReport> {
  const { forbidden, options } = rules;
  const cruised = await cruise(['src'], {
    ...options,
    baseDir: root,
    ruleSet: { forbidden },
    validate: true,
  } as ICruiseOptions);
  const result = cruised.output as ICruiseResult;
  const visited = result.modules.map((module) => module.source).filter((source) => source.startsWith('src/'));
  const seen = new Set(visited);
  return {
    visited,
    missed: sourceFiles(join(root, 'src'))
      .map((file) => relative(root, file))
      .filter((file) => !seen.has(file)),
    violations: result.summary.violations
      .filter((violation) => violation.rule.severity === 'error')
      .map(({ rule, from, to, cycle, via }) => {
        const way = (cycle ?? via ?? []).map((step) => step.name).join(' → ');
        const why = forbidden.find((one) => one.name === rule.name)?.comment ?? '';
        return `${rule.name}: ${from} → ${to}${way ? ` (by ${way})` : ''}: ${why}`;
      }),
  };
}

function sourceFiles(directory: string): string[] {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map((entry) => join(entry.parentPath, entry.name));
}

if (import.meta.main) {
  const report = await checkRooms(resolve(import.meta.dirname, '..'));
  for (const violation of report.violations) console.error(violation);
  for (const file of report.missed) console.error(`not visited: ${file}`);
  if (report.visited.length === 0) console.error('No module was visited: is @swc/core installed?');
  console.log(`${report.visited.length} modules, ${report.violations.length} forbidden imports`);
  const failed = report.violations.length > 0 || report.missed.length > 0 || report.visited.length === 0;
  process.exitCode = failed ? 1 : 0;
}
