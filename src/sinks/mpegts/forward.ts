import type { OpenForward } from '../contract.ts';
import { MuxedForward, type StartMuxer } from '../muxed-forward.ts';

/** Sends streams as MPEG-TS to `srt://` and `udp://` addresses. */
export function mpegTsForward(start: StartMuxer): OpenForward {
  return (target, events) => {
    const { url, restricted } = target;
    const to = async () => ({ url, ...(restricted && { guard: true as const }) });
    return new MuxedForward(target, events, { start, kind: 'mpegts', to });
  };
}
