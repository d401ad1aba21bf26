import type { Hub } from '#hub/hub.ts';
import type { Stream } from '#hub/stream.ts';
import { Backoff } from '#util/backoff.ts';
import type { Clock } from '#util/clock.ts';
import { maskAddress } from '#util/mask-address.ts';
import { NamedError } from '#util/named-error.ts';
import type { ForwardConnection, ForwardEvents, ForwardTarget, OpenForward } from './contract.ts';

/** After so many milliseconds with the other server an attempt counts as a success. */
const HEALTHY_MS = 30_000;

/** One stream that is to be published elsewhere. */
export interface ForwardSettings {
  readonly stream: string;
  /** With credentials where they are needed. */
  readonly url: string;
  /** How the certificate of a TLS server is judged. */
  readonly trust: { readonly fingerprint: string | undefined; readonly insecure: boolean };
  /** Somebody gave it who may not lead us everywhere (the API): as in `ForwardTarget`. */
  readonly restricted?: true;
  /** Where it is restricted, and a file: the folders that it has to be in, links followed. */
  readonly within?: readonly string[];
  /** Of a file: as in `ForwardTarget`. */
  readonly existing?: ForwardTarget['existing'];
}

export interface ForwardStatus {
  readonly stream: string;
  /** Where it goes, without credentials. */
  readonly url: string;
  /**
   * `idle`: the stream is not there. `starting`: it connects. `running`: the other server takes the stream. `waiting`:
   * for the next attempt. `failed`: it can never work, and is not tried again.
   */
  readonly state: 'idle' | 'starting' | 'running' | 'waiting' | 'failed';
  /** Why it does not run, in a sentence. */
  readonly reason?: string;
  /** The reason without what differs from attempt to attempt. */
  readonly trouble?: string;
  readonly code?: string;
  /** When the state began, ms since 1970. */
  readonly since: number;
  /** In all attempts together. */
  readonly bytesSent: number;
  /** Access units that were left out because the other side was too slow, in all attempts together. */
  readonly dropped: number;
  /** Bytes that wait for the other side now. */
  readonly queuedBytes: number;
}

/** What is counted; the rest says how it stands. */
type Counted = 'bytesSent' | 'dropped' | 'queuedBytes';

export interface ForwardOptions {
  readonly hub: Hub;
  readonly clock: Clock;
  /** How an attempt is begun; by the kind of address. */
  readonly open: OpenForward;
  readonly onState: (status: ForwardStatus) => void;
  /** Random numbers in [0, 1) of the back-off; a test gives its own. */
  readonly random?: (() => number) | undefined;
}

/**
 * Publishes one stream at one address for as long as the stream is live, or something stands in for it: connects when it comes, goes on while its
 * publisher is replaced, and begins anew when the other server fails, after waits that grow from 0.5 s to 30 s. A stream
 * on demand is wanted all the time: whoever takes a forward expects it to be there.
 */
export class Forward {
  readonly settings: ForwardSettings;
  readonly #options: ForwardOptions;
  readonly #shown: string;
  readonly #backoff: Backoff;
  readonly #release: () => void;
  #status: Omit<ForwardStatus, 'stream' | 'url' | Counted>;
  #connection: ForwardConnection | undefined;
  /** Connections that are not gone yet; two never publish at a time. */
  #ending = 0;
  /** Of connections that are over. */
  #bytes = 0;
  #dropped = 0;
  /** What an older attempt still says is passed over. */
  #attempt = 0;
  #cancelRetry: (() => void) | undefined;
  #cancelHealth = () => {};
  #closing: Promise<void> | undefined;

  constructor(settings: ForwardSettings, options: ForwardOptions) {
    this.settings = settings;
    this.#options = options;
    this.#shown = maskAddress(settings.url);
    this.#backoff = new Backoff(options.random ? { random: options.random } : {});
    this.#status = { state: 'idle', since: options.clock.now() };
    this.#release = options.hub.onDemand.claim(settings.stream);
    this.look();
  }

  get status(): ForwardStatus {
    const { stream } = this.settings;
    const status = { stream, url: this.#shown, ...this.#status, ...this.#counted };
    if (status.state !== 'idle') return status;
    const trouble = this.#options.hub.onDemand.trouble(stream);
    return { ...status, reason: trouble ?? `Nobody publishes "${stream}" now.` };
  }

  get #counted(): Pick<ForwardStatus, Counted> {
    const { bytesSent = 0, dropped = 0, reader } = this.#connection ?? {};
    const { droppedVideo = 0, droppedAudio = 0 } = reader?.counters ?? {};
    return {
      bytesSent: this.#bytes + bytesSent,
      dropped: this.#dropped + dropped + droppedVideo + droppedAudio,
      queuedBytes: reader?.queuedBytes ?? 0,
    };
  }

  /** The stream came, went, or has another publisher. */
  look(): void {
    if (this.#closing || this.#status.state === 'failed') return;
    const stream = this.#options.hub.get(this.settings.stream);
    if (stream && isShown(stream)) {
      if (!this.#connection && !this.#cancelRetry && this.#ending === 0) this.#begin(stream);
    } else if (!stream) {
      void this.#end('The stream has ended.');
      this.#change({ state: 'idle' });
    } else if (!this.#connection && !this.#cancelRetry) {
      // Its publisher may come back; a connection that stands waits for that as every reader does.
      this.#change({ state: 'idle' });
    }
  }

  /** Ends it; resolves when nothing of it is left. Idempotent. */
  close(reason: string): Promise<void> {
    if (this.#closing) return this.#closing;
    const closed = this.#end(reason);
    this.#closing = closed;
    this.#release();
    return closed;
  }

  #begin(stream: Stream): void {
    const { clock, open } = this.#options;
    const { stream: _, ...settings } = this.settings;
    const attempt = ++this.#attempt;
    const current = () => attempt === this.#attempt && !this.#closing;
    const events: ForwardEvents = {
      onUp: () => {
        if (current()) this.#up();
      },
      onEnd: (end) => {
        if (current()) this.#failed(end);
      },
    };
    // What was wrong stays to be seen until it is right.
    const { trouble, code } = this.#status;
    const before = trouble === undefined ? {} : { reason: trouble, trouble };
    this.#change({ state: 'starting', ...before, ...(code === undefined ? {} : { code }) });
    try {
      this.#connection = open({ ...settings, stream, clock }, events);
    } catch (error) {
      if (!(error instanceof NamedError)) throw error;
      this.#failed({ reason: error.message, code: error.code, final: true });
    }
  }

  #up(): void {
    this.#change({ state: 'running' });
    this.#cancelHealth = this.#options.clock.after(HEALTHY_MS, () => this.#backoff.reset());
  }

  #failed({ reason, code, final }: Parameters<ForwardEvents['onEnd']>[0]): void {
    void this.#end(reason);
    const named = code === undefined ? {} : { code };
    if (final) return this.#change({ state: 'failed', reason, trouble: reason, ...named });
    const { clock, hub } = this.#options;
    const stream = hub.get(this.settings.stream);
    if (!stream || !isShown(stream)) {
      this.#change({ state: 'idle' });
      return;
    }
    const ms = this.#backoff.next();
    this.#cancelRetry = clock.after(ms, () => {
      this.#cancelRetry = undefined;
      this.look();
    });
    const next = `${reason} The next attempt is in ${(ms / 1000).toFixed(1)} s.`;
    this.#change({ state: 'waiting', reason: next, trouble: reason, ...named });
  }

  /** No attempt is under way any more. Resolves when nothing is left of it. */
  async #end(reason: string): Promise<void> {
    this.#attempt++;
    this.#cancelRetry?.();
    this.#cancelRetry = undefined;
    this.#cancelHealth();
    const connection = this.#connection;
    if (!connection) return;
    const { bytesSent, dropped } = this.#counted;
    this.#connection = undefined;
    this.#bytes = bytesSent;
    this.#dropped = dropped;
    this.#ending++;
    await connection.close(reason);
    this.#ending--;
    // The stream may be back by now.
    this.look();
  }

  #change(status: Omit<ForwardStatus, 'stream' | 'url' | 'since' | Counted>): void {
    const before = this.#status;
    if (status.state === 'idle' && before.state === 'idle') return;
    this.#status = { ...status, since: this.#options.clock.now() };
    this.#options.onState(this.status);
  }
}

/** Whether there is something to be sent: of the publisher, or of what stands in for it. */
function isShown({ state }: Stream): boolean {
  return state === 'live' || state === 'standby';
}
