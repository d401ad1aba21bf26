import { fuzz } from './run.ts';
import { fuzzTargets } from './targets.ts';

/**
 * The long run: `npm run fuzz [-- <inputs> [<part of a target's name>]]`, 100,000 inputs each by default. Beside what
 * the short run checks, memory must not grow from the first half to the second.
 */
const GROWTH_BYTES = 8 << 20;
const [inputs = '100000', wanted = ''] = process.argv.slice(2);
const half = Math.ceil(Number(inputs) / 2);

/** Bytes in use, after what waits for its turn or for a timer of the targets has gone. */
async function heap(): Promise<number> {
  await new Promise((resolve) => setTimeout(resolve, 200));
  globalThis.gc?.();
  globalThis.gc?.();
  return process.memoryUsage().heapUsed;
}

if (!globalThis.gc) throw new Error('Start with --expose-gc: growth cannot be seen without it.');
let failed = 0;
for (const target of fuzzTargets.filter(({ name }) => name.includes(wanted))) {
  try {
    const first = await fuzz(target, half, 1);
    const before = await heap();
    const second = await fuzz(target, half, 2);
    const grown = (await heap()) - before;
    const count = first.inputs + second.inputs;
    const ms = Math.round(first.ms + second.ms);
    const slowest = Math.round(Math.max(first.slowestThousand, second.slowestThousand));
    const line = `${count} inputs, ${ms} ms, the slowest thousand ${slowest} ms, heap ${(grown / 1e6).toFixed(1)} MB`;
    if (grown > GROWTH_BYTES) throw new Error(`The heap grew: ${line}`);
    console.log(`${target.name}: ${line}`);
  } catch (error) {
    failed++;
    console.error(`${target.name}: FAILED\n${error instanceof Error ? error.message : String(error)}`);
  }
}
if (failed > 0) process.exitCode = 1;
