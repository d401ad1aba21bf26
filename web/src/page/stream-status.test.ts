import { expect, it } from 'vitest';
import { streamStatus } from './stream-status.ts';

it('tells the player that media come, of the publisher or of what stands in for it', () => {
  const of = (state: Parameters<typeof streamStatus>[0]['state']) =>
    streamStatus({ state, tracks: [] }).isLive;
  expect((['live', 'standby', 'held', 'waiting', 'idle'] as const).map(of)).toEqual([
    true,
    true,
    false,
    false,
    false,
  ]);
});
