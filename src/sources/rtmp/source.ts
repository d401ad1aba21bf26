import { RtmpConnection } from '#clients/rtmp/connection.ts';
import type { ServerTrust } from '#clients/socket.ts';
import { FlvIngest } from '#containers/flv/ingest.ts';
import type { Publishing } from '#hub/publication.ts';
import { type Clock, systemClock } from '#util/clock.ts';
import { maskAddress } from '#util/mask-address.ts';
import { NamedError } from '#util/named-error.ts';
import { type Attempt, type AttemptEvents, Attempts } from '../attempts.ts';
import type { SourceTask } from '../contract.ts';

export interface RtmpSourceOptions {
  /** Where it is published. */
  readonly hub: Publishing;
  /** Name of the stream that is published. */
  readonly stream: string;
  /** With credentials where they are needed. */
  readonly url: string;
  /** How the certificate of an `rtmps://` server is judged. */
  readonly trust?: ServerTrust | undefined;
  /** It may not lead to this machine, its cable or its cloud. */
  readonly restricted?: boolean | undefined;
  readonly onState: (status: SourceTask['status']) => void;
  readonly clock?: Clock;
  /** Random numbers in [0, 1) of the back-off; a test gives its own. */
  readonly random?: () => number;
}

/** Pulls a stream from an RTMP server for as long as it lives. */
export class RtmpSource extends Attempts {
  constructor(options: RtmpSourceOptions) {
    const { clock, random, onState } = options;
    super({ clock, random, onState, open: (attempt, events) => open(options, attempt, events) });
  }
}

/**
 * One attempt: what the server plays becomes the stream.
 * @throws NamedError RTMP_ADDRESS_INVALID, SOURCE_FORBIDDEN
 */
function open(options: RtmpSourceOptions, attempt: number, events: AttemptEvents): Attempt {
  const { hub, stream, url, trust, restricted: guarded, clock = systemClock } = options;
  const publisher = { id: `${stream}#${attempt}`, door: 'source', remote: maskAddress(url) };
  const ingest = new FlvIngest({
    clock,
    publish: (tracks) => {
      const publication = hub.publish(stream, publisher, tracks, {
        onClose: (reason) => events.failed(new NamedError('PUBLICATION_ENDED', reason, 409)),
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
