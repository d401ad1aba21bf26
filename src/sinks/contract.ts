import type { Reader } from '#hub/reader.ts';
import type { Stream } from '#hub/stream.ts';
import type { Clock } from '#util/clock.ts';

/** What one attempt to forward a stream is given. */
export interface ForwardTarget {
  /** Live, or shown by a stand-in, when the attempt begins; it may end or be replaced meanwhile, which the attempt notices by its events. */
  readonly stream: Stream;
  /** With credentials where they are needed. */
  readonly url: string;
  /** How the certificate of a TLS server is judged. */
  readonly trust?: { readonly fingerprint: string | undefined; readonly insecure: boolean };
  /** It may not lead to this machine, its cable or its cloud, whatever its name is pointed at. */
  readonly restricted?: boolean | undefined;
  /** Where it is restricted, and a file: the folders that it has to be in, links followed. */
  readonly within?: readonly string[] | undefined;
  /** What becomes of a file that is there already; `number`: the stream goes into `film.2.mp4`. Default `refuse`. */
  readonly existing?: 'refuse' | 'overwrite' | 'number' | undefined;
  readonly clock: Clock;
}

/** What an attempt tells whoever began it. Never called before `open` has returned. */
export interface ForwardEvents {
  /** The other server has taken the stream: media flow. */
  onUp(): void;
  /** The attempt is over; called once, and not after `close`. `final`: it can never work, whatever the stream has, and is not tried again. */
  onEnd(end: { readonly reason: string; readonly code?: string; readonly final?: boolean }): void;
}

/** One connection that publishes a stream of this server elsewhere. */
export interface ForwardConnection {
  /** Bytes that were sent so far. */
  readonly bytesSent: number;
  /** What it reads the stream by, once media flow; absent where that is in another process. */
  readonly reader?: Reader | undefined;
  /** Pictures that were left out because the other side was too slow, where that is not to be seen in the hub. */
  readonly dropped?: number;
  /** Resolves when nothing of it is left. Idempotent. */
  close(reason: string): Promise<void>;
}

/** Begins one attempt. Waiting, back-off and state are the supervisor's (`forward.ts`). */
export type OpenForward = (target: ForwardTarget, events: ForwardEvents) => ForwardConnection;
