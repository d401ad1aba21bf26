import type { StreamInfo } from '../api/types.ts';
import type { StreamStatus } from '../player/source.ts';

/** What the player is to know of what the API says about its stream. */
export function streamStatus({
  state,
  held,
  tracks,
}: Pick<StreamInfo, 'state' | 'held' | 'tracks'>): StreamStatus {
  return {
    // Of a stand-by media come as of a publisher.
    isLive: state === 'live' || state === 'standby',
    ...(held ? { held: { since: Date.parse(held.since), seconds: held.seconds } } : {}),
    tracks: tracks.map(({ kind, codec }) => ({ kind, codec })),
  };
}
