import { expect, test } from 'vitest';
import { FramePatience } from './frame-patience.ts';

test('the first frames may take 30 s, then 20 times what is usual, and never less than 5 s', () => {
  const patience = new FramePatience();
  for (let n = 0; n < 9; n++) patience.took(40);
  expect(patience.limitMs).toBe(30_000);
  patience.took(40);
  expect(patience.limitMs).toBe(5000);
  for (let n = 0; n < 200; n++) patience.took(n % 10 === 0 ? 2000 : 400);
  expect(patience.limitMs).toBe(40_000);
});

test('what the manifest says goes before what was learned', () => {
  const patience = new FramePatience(700);
  for (let n = 0; n < 50; n++) patience.took(4000);
  expect(patience.limitMs).toBe(700);
});
