import { RtspConnection } from '#clients/rtsp/connection.ts';
import { parseTarget } from '#clients/rtsp/target.ts';
import type { Publishing } from '#hub/publication.ts';
import { type Clock, systemClock } from '#util/clock.ts';
import { maskAddress } from '#util/mask-address.ts';
import { NamedError } from '#util/named-error.ts';
import type { ServerTrust } from '#util/server-trust.ts';
import { type Attempt, type AttemptEvents, Attempts } from '../attempts.ts';
import type { SourceTask } from '../contract.ts';
import { RtspPulling } from './to-stream.ts';
import { type MediaTransport, WorkingTransports } from './working-transports.ts';

/** With `auto`: after so many milliseconds without a packet over UDP the way there counts as closed. */
const UDP_SILENCE_MS = 3000;

export interface RtspSourceOptions {
  /** Where it is published. */
  readonly hub: Publishing;
  /** Name of the stream that is published. */
  readonly stream: string;
  /** With credentials where they are needed. */
  readonly url: string;
  /**
   * How the media come. `auto`, the default, is what worked last, at first UDP; where that is refused or nothing comes
   * for 3 s, TCP at once.
   */
  readonly transport?: 'auto' | 'tcp' | 'udp';
  /** What worked last, where that is to outlive this source. */
  readonly working?: WorkingTransports;
  /** How the certificate of an `rtsps://` server is judged. */
  readonly trust?: ServerTrust | undefined;
  /** It may not lead to this machine, its cable or its cloud, also by a redirect. */
  readonly restricted?: boolean | undefined;
  readonly onState: (status: SourceTask['status']) => void;
  readonly clock?: Clock;
  /** Random numbers in [0, 1) of the back-off; a test gives its own. */
  readonly random?: () => number;
}

/** Pulls a stream from an RTSP server for as long as it lives. */
export class RtspSource extends Attempts {
  constructor(options: RtspSourceOptions) {
    const { clock, random, onState } = options;
    const choice = new TransportChoice(options);
    super({ clock, random, onState, open: (attempt, events) => open(options, choice, attempt, events) });
  }
}

/** Which transport the next attempt takes. */
class TransportChoice {
  readonly #options: RtspSourceOptions;
  readonly #working: WorkingTransports;
  /** The next attempt is to take TCP, since UDP has just failed. */
  #fallsBack = false;

  constructor(options: RtspSourceOptions) {
    this.#options = options;
    this.#working = options.working ?? new WorkingTransports();
  }

  /** Which transport is taken is our choice. */
  get isFree(): boolean {
    return (this.#options.transport ?? 'auto') === 'auto';
  }

  /** @throws NamedError RTSP_ADDRESS_INVALID */
  next(): MediaTransport {
    const { transport = 'auto', stream, url } = this.#options;
    const fallsBack = this.#fallsBack;
    this.#fallsBack = false;
    // Beside the connection nothing would be encrypted.
    if (parseTarget(url).secure || fallsBack) return 'tcp';
    return transport === 'auto' ? (this.#working.get(stream, url) ?? 'udp') : transport;
  }

  worked(transport: MediaTransport): void {
    this.#working.worked(this.#options.stream, this.#options.url, transport);
  }

  /** An attempt failed before there was a stream; true where TCP may help, and is next. */
  failed(transport: MediaTransport, { code }: NamedError): boolean {
    if (!this.isFree || (code !== 'RTSP_NO_MEDIA' && code !== 'RTSP_TRANSPORT_REFUSED')) return false;
    // What worked once does not any more.
    this.#working.forget(this.#options.stream);
    this.#fallsBack = transport === 'udp';
    return this.#fallsBack;
  }
}

/**
 * One attempt: what the server describes and plays becomes the stream.
 * @throws NamedError RTSP_ADDRESS_INVALID, SOURCE_FORBIDDEN
 */
function open(
  options: RtspSourceOptions,
  choice: TransportChoice,
  attempt: number,
  events: AttemptEvents,
): Attempt {
  const { hub, stream, url, trust, restricted: guarded, clock = systemClock } = options;
  const transport = choice.next();
  const shown = maskAddress(url);
  let pulling: RtspPulling | undefined;
  let isPublished = false;
  let isOver = false;
  const failed = (error: NamedError) => {
    if (!isOver) events.failed(error, !isPublished && choice.failed(transport, error));
  };
  const connection: RtspConnection = new RtspConnection(
    url,
    {
      described: (sdp, baseUrl) => {
        if (isOver) return;
        try {
          pulling = new RtspPulling(shown, sdp, {
            hub,
            stream,
            publisher: { id: `${stream}#${attempt}`, door: 'source', remote: shown },
            clock,
            reorder: transport === 'udp',
            sendRtcp: (track, packet) => connection.sendRtcp(track, packet),
            onPublished: () => {
              isPublished = true;
              choice.worked(transport);
              events.published();
            },
            onEnd: failed,
          });
          connection.play({ baseUrl, ...pulling.controls }, transport);
        } catch (error) {
          if (!(error instanceof NamedError)) throw error;
          failed(error);
        }
      },
      ready: (refused) => pulling?.ready(refused),
      packet: (track, kind, payload) => {
        if (!isOver) pulling?.receive(track, kind, payload);
      },
      failed,
    },
    {
      clock,
      trust,
      guarded,
      firstMediaMs: choice.isFree && transport === 'udp' ? UDP_SILENCE_MS : undefined,
    },
  );
  return {
    close: (reason) => {
      isOver = true;
      pulling?.close(reason);
      return connection.close();
    },
  };
}
