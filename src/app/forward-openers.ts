import assert from 'node:assert';
import { type ForwardKind, forwardKind } from '#config/forward-schema.ts';
import type { Hub } from '#hub/hub.ts';
import type { OpenForward } from '#sinks/contract.ts';
import { fileForward, isFileAddress } from '#sinks/file/forward.ts';
import { mpegTsForward } from '#sinks/mpegts/forward.ts';
import { rtmpForward } from '#sinks/rtmp/forward.ts';
import { type RtspForwardOptions, rtspForward } from '#sinks/rtsp/forward.ts';
import { streamForward } from '#sinks/stream/forward.ts';
import { whipForward } from '#sinks/whip/forward.ts';
import { muxerStarter } from './start-muxer.ts';
import type { WorkerRoom } from './worker-room.ts';

/** How a forward is begun, by the kind of its address; a path is that of a file. */
export function forwardOpeners(
  options: RtspForwardOptions & { readonly hub: Hub; readonly workers: WorkerRoom },
): (url: string) => OpenForward {
  const start = muxerStarter(options.workers);
  const openers: Readonly<Record<ForwardKind, OpenForward>> = {
    rtsp: rtspForward(options),
    whip: whipForward(options),
    rtmp: rtmpForward(options),
    stream: streamForward(options.hub),
    mpegts: mpegTsForward(start),
  };
  return (url) => {
    // Each forward by itself: what another one has written is not this one's to go on with.
    if (isFileAddress(url)) return fileForward(start);
    const kind = forwardKind(url);
    assert(kind, 'The configuration let an address in that nothing can be forwarded to.');
    return openers[kind];
  };
}
