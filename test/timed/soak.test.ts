import { expect, it } from 'vitest';
import { run } from '../support/process.ts';

it('a minute of streams, readers, runs and faults of every kind leaves memory, descriptors, timers and children as they were', async () => {
  const soak = ['bench/soak.ts', '--minutes', '1', '--every', '7'];
  const { code, stdout, stderr } = await run(process.execPath, soak, 110_000);
  console.log(stdout);
  expect(code, `${stdout}\n${stderr}`).toBe(0);
  expect(stdout).toContain('Verdict: flat.');
});
