import { expect, it } from 'vitest';
import { Hub } from '#hub/hub.ts';
import type { Track } from '#media/track.ts';
import { systemClock } from '#util/clock.ts';
import { av1Track } from '../../../test/support/coded-samples.ts';
import { audio, video } from '../../../test/support/units.ts';
import type { ForwardEvents } from '../contract.ts';
import { mpegTsForward } from './forward.ts';

/** What a forward of these tracks sends, or why it ends. */
async function forwarded(tracks: readonly Track[]) {
  const hub = new Hub();
  hub.publish('yard', { id: 'a', door: 'test', remote: '' }, tracks, { onClose() {} });
  const { promise, resolve } = Promise.withResolvers<
    readonly number[] | Parameters<ForwardEvents['onEnd']>[0]
  >();
  const open = mpegTsForward((request) => {
    resolve(request.tracks);
    return { stop: async () => {} };
  });
  const target = { stream: hub.get('yard')!, url: 'srt://archive:9000', clock: systemClock };
  const connection = open(target, { onUp() {}, onEnd: resolve });
  const seen = await promise;
  await connection.close('The test is over.');
  hub.close('The test is over.');
  return seen;
}

it('a forward of MPEG-TS sends picture and sound, and never the sound of a picture that it cannot carry', async () => {
  expect(await forwarded([video, audio])).toEqual([0, 1]);
  expect(await forwarded([audio])).toEqual([1]);
  expect(await forwarded([av1Track, audio])).toMatchObject({
    code: 'CODEC_UNSUPPORTED',
    reason:
      'The stream "yard" (av1, aac) does not fit: MPEG-TS cannot carry AV1; it can carry H.264, H.265, MPEG-4 part 2.',
  });
});
