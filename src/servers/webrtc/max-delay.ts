import { LONGEST_PLAYOUT_DELAY_MS, playoutDelayBlock } from '#protocols/rtp/playout-delay.ts';
import type { AnsweredTrack } from '#protocols/sdp/webrtc-answer.ts';
import { NamedError } from '#util/named-error.ts';

/**
 * How long a viewer wants its pictures to be kept at most, ms; undefined where it does not say, and its browser chooses.
 * It is asked for by `?maxDelay`, and not by offering the extension, because Chromium offers that always, and would then no
 * longer keep pictures until their sound has come, nor as long as `jitterBufferTarget` says.
 * @throws NamedError WEBRTC_MAX_DELAY_INVALID
 */
export function maxDelayOf(query: URLSearchParams): number | undefined {
  const text = query.get('maxDelay');
  if (text === null) return undefined;
  const ms = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN;
  if (ms <= LONGEST_PLAYOUT_DELAY_MS) return ms;
  throw new NamedError(
    'WEBRTC_MAX_DELAY_INVALID',
    `"maxDelay" is no whole number of milliseconds from 0 to ${LONGEST_PLAYOUT_DELAY_MS}. Correct it, or leave it out.`,
    400,
  );
}

/** What the packets of a track carry for that; nothing where the browser does not offer to listen. */
export function playoutDelay(
  { playoutDelayId }: AnsweredTrack,
  maxMs: number | undefined,
): Buffer | undefined {
  if (playoutDelayId === undefined || maxMs === undefined) return undefined;
  return playoutDelayBlock(playoutDelayId, { min: 0, max: maxMs });
}
