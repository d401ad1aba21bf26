import type { Stream } from '#hub/stream.ts';
import { isVideo } from '#media/track.ts';
import type { Clock } from '#util/clock.ts';
import { canBeSent } from './open-feed.ts';

/** How long the parameter sets of a publisher that sends them in the stream only are waited for. */
const FORMAT_WAIT_MS = 5000;

/** Resolves when it is known how all pictures are coded, when time is up, and when the stream has ended. */
export function formatsKnown(stream: Stream, clock: Clock): Promise<void> {
  const known = () =>
    stream.tracks.every((track) => !isVideo(track) || !canBeSent(track) || track.format.codecString !== '');
  if (known()) return Promise.resolve();
  return new Promise((resolve) => {
    const finish = () => {
      cancel();
      for (const off of listeners) off();
      resolve();
    };
    const cancel = clock.after(FORMAT_WAIT_MS, finish);
    const listeners = [
      stream.events.on('tracks', () => known() && finish()),
      stream.events.on('ended', finish),
    ];
  });
}
