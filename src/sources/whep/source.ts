import { parseWebRtcAddress } from '#clients/webrtc/address.ts';
import { systemClock } from '#util/clock.ts';
import { NamedError } from '#util/named-error.ts';
import { type Attempt, type AttemptEvents, Attempts, type PullOptions } from '../attempts.ts';
import { WhepConnection } from './connection.ts';
import { WhepPulling } from './to-stream.ts';

/** A server from which no media come for so long is left; the first ones included. */
const SILENCE_MS = 15_000;

/** Pulls a stream from a WHEP server for as long as it lives. */
export class WhepSource extends Attempts {
  constructor(options: PullOptions) {
    const { clock, random, onState } = options;
    super({ clock, random, onState, open: (attempt, events) => open(options, attempt, events) });
  }
}

/**
 * One attempt: what the server sends becomes the stream.
 * @throws NamedError WEBRTC_ADDRESS_INVALID
 */
function open(options: PullOptions, attempt: number, events: AttemptEvents): Attempt {
  const { hub, stream, url, trust = {}, restricted, clock = systemClock } = options;
  const { shown } = parseWebRtcAddress(url, 'whep');
  let pulling: WhepPulling | undefined;
  let cancelWatch = () => {};
  /** Fails when no unit came since the last look. */
  const watch = (before: number) => {
    cancelWatch = clock.after(SILENCE_MS, () => {
      const units = pulling?.units ?? 0;
      if (units !== before) return watch(units);
      const sentence = `No media came from ${shown} for ${SILENCE_MS / 1000} s.`;
      events.failed(new NamedError('WEBRTC_NO_MEDIA', sentence, 504));
    });
  };
  const connection: WhepConnection = new WhepConnection(
    { url, trust, restricted, clock },
    {
      onTracks: (tracks) => {
        pulling = new WhepPulling({
          hub,
          clock,
          stream,
          tracks,
          publisher: { id: `${stream}#${attempt}`, door: 'source', remote: shown },
          sendRtcp: (packet) => connection.sendRtcp(packet),
          onPublished: () => events.published(),
          onEnd: (error) => events.failed(error),
        });
        watch(0);
      },
      onRtp: (packet) => pulling?.receiveRtp(packet),
      onRtcp: (packet) => pulling?.receiveRtcp(packet),
      onFailed: (error) => events.failed(error),
    },
  );
  return {
    close: (reason) => {
      cancelWatch();
      pulling?.close(reason);
      return connection.close();
    },
  };
}
