import { describe, expect, it } from 'vitest';
import { aacTrack, h264Track } from '../../test/support/fmp4-units.ts';
import { encodeMessage } from './framing.ts';
import type { WorkerToHub } from './messages.ts';
import { parseWorkerMessage } from './worker-messages.ts';

const publish: WorkerToHub = {
  ...{ type: 'publish', publication: 2, task: 't', epoch: 1, stream: 'made' },
  tracks: [h264Track, aacTrack],
};

describe('what a worker says', () => {
  it('is read as it was said, Buffers included', () => {
    expect(parseWorkerMessage(encodeMessage(publish))).toEqual(publish);
    const hello: WorkerToHub = { type: 'hello', worker: 'w', pid: 1 };
    expect(parseWorkerMessage(encodeMessage(hello))).toEqual(hello);
  });

  it.each<[string, object]>([
    ['a channel below zero', { type: 'subscribe', subscription: -1, stream: 'live' }],
    ['a channel of more than 32 bits', { type: 'unsubscribe', subscription: 2 ** 32 }],
    ['a subscription to no stream', { type: 'subscribe', subscription: 1 }],
    ['tracks that are no list', { type: 'subscribe', subscription: 1, stream: 'live', tracks: 5 }],
    ['a track without a format', { ...publish, tracks: [{ id: 1, clockRate: 90_000 }] }],
    ['a clock that stands still', { ...publish, tracks: [{ ...h264Track, clockRate: 0 }] }],
    [
      'parameter sets that are text',
      { ...publish, tracks: [{ ...h264Track, format: { ...h264Track.format, parameterSets: ['x'] } }] },
    ],
    ['a type that there is not', { type: 'dance' }],
  ])('is not taken with %s', (_, message) => {
    expect(parseWorkerMessage(encodeMessage(message))).toBeUndefined();
  });
});
