import { expect, it } from 'vitest';
import type { JobStatus } from '#jobs/job-status.ts';
import { liveLine, summary } from './live-line.ts';

const status = (progress: Partial<JobStatus['progress']>, more: Partial<JobStatus> = {}): JobStatus => ({
  ...{ name: 'push', type: 'push', state: 'running', since: 0, log: [], inputs: [], outputs: [] },
  progress: {
    timeMs: 12_345,
    speed: 1,
    fps: 25,
    bitRate: 1_834_000,
    drops: 0,
    bytesSent: 2_000_000,
    ...progress,
  },
  ...more,
});

it('shows time, speed, pictures, bits and drops, and a bar where the length is known', () => {
  expect(liveLine(status({}), 80)).toBe('00:12.3  1.00x  25.0 fps  1.8 Mbit/s');
  expect(liveLine(status({ drops: 7, fps: 0, timeMs: 3_725_000 }), 80)).toBe(
    '1:02:05.0  1.00x  1.8 Mbit/s  7 dropped',
  );
  expect(liveLine(status({ durationMs: 24_690, bitRate: 800 }), 80)).toBe(
    '00:12.3 / 00:24.6  [============            ]  50 %  1.00x  25.0 fps  1 kbit/s',
  );
});

it('fits into every terminal', () => {
  for (const one of [
    status({ durationMs: 20_000 }),
    status({}, { reason: 'An output does not take it: '.repeat(9) }),
  ]) {
    for (let width = 1; width < 200; width++) expect(liveLine(one, width).length).toBeLessThanOrEqual(width);
  }
});

it('says why it waits', () => {
  const waiting = {
    state: 'waiting',
    reason: 'rtsp://camera/1 cannot be reached.\nThe next attempt is in 2 s.',
  } as const;
  expect(liveLine(status({ timeMs: 0 }, waiting), 200)).toBe(
    'rtsp://camera/1 cannot be reached. The next attempt is in 2 s.',
  );
  expect(liveLine(status({}, waiting), 200)).toContain('1.8 Mbit/s  rtsp://camera/1 cannot be reached.');
  expect(summary(status({ drops: 3 }))).toBe('00:12.3 of media, 2.0 MB sent, 3 units dropped.');
});
