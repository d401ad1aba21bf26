import { RtmpConnection } from '#clients/rtmp/connection.ts';
import { FlvIngest } from '#containers/flv/ingest.ts';
import { systemClock } from '#util/clock.ts';
import { maskAddress } from '#util/mask-address.ts';
import { NamedError } from '#util/named-error.ts';
import { type Attempt, type AttemptEvents, Attempts, type PullOptions } from '../attempts.ts';

/** Pulls a stream from an RTMP server for as long as it lives. */
export class RtmpSource extends Attempts {
  constructor(options: PullOptions) {
    const { clock, random, onState } = options;
    super({ clock, random, onState, open: (attempt, events) => open(options, attempt, events) });
  }
}

/**
 * One attempt: what the server plays becomes the stream.
 * @throws NamedError RTMP_ADDRESS_INVALID, SOURCE_FORBIDDEN
 */
function open(options: PullOptions, attempt: number, events: AttemptEvents): Attempt {
  const { hub, stream, url, trust, restricted: guarded, clock = systemClock } = options;
  const publisher = { id: `${stream}#${attempt}`, door: 'source', remote: maskAddress(url) };
  const ingest: FlvIngest = new FlvIngest({
    clock,
    publish: (tracks) => {
      const publication = hub.publish(stream, publisher, tracks, {
        onClose: (reason) => events.failed(new NamedError('PUBLICATION_ENDED', reason, 409)),
        clocks: () => ingest.clocks,
      });
      events.published();
      return publication;
    },
  });
  const connection = new RtmpConnection(
    url,
    {
      started() {},
      // What the hub or the ingest refuse is an error of the session, and ends it.
      media: (message) => ingest.receive(message),
      failed: (error) => events.failed(error),
    },
    { purpose: 'play', clock, trust, guarded },
  );
  return {
    close: (reason) => {
      ingest.close(reason);
      return connection.close();
    },
  };
}
