import { isIP } from 'node:net';
import { RtspConnection } from '#clients/rtsp/connection.ts';
import { parseTarget } from '#clients/rtsp/target.ts';
import type { ServerTrust } from '#clients/socket.ts';
import type { Hub } from '#hub/hub.ts';
import { Backoff } from '#util/backoff.ts';
import { type Clock, systemClock } from '#util/clock.ts';
import { forbidInner } from '#util/guarded-lookup.ts';
import { maskAddress } from '#util/mask-address.ts';
import { NamedError } from '#util/named-error.ts';
import type { SourceTask } from '../contract.ts';
import { RtspPulling } from './to-stream.ts';
import { type MediaTransport, WorkingTransports } from './working-transports.ts';

/** After so many milliseconds of media an attempt counts as a success. */
const HEALTHY_MS = 30_000;

/** With `auto`: after so many milliseconds without a packet over UDP the way there counts as closed. */
const UDP_SILENCE_MS = 3000;

export interface RtspSourceOptions {
  readonly hub: Hub;
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
  /** It was given over the API: it may not lead to this machine, its cable or its cloud. */
  readonly restricted?: boolean | undefined;
  readonly onState: (status: SourceTask['status']) => void;
  readonly clock?: Clock;
  /** Random numbers in [0, 1) of the back-off; a test gives its own. */
  readonly random?: () => number;
}

/**
 * Pulls a stream from an RTSP server for as long as it lives: connects, publishes, and begins anew when the server
 * fails, after waits that grow from 0.5 s to 30 s, also when it never was there.
 */
export class RtspSource implements SourceTask {
  readonly #options: RtspSourceOptions;
  readonly #clock: Clock;
  readonly #backoff: Backoff;
  readonly #working: WorkingTransports;
  #status: SourceTask['status'];
  #connection: RtspConnection | undefined;
  #pulling: RtspPulling | undefined;
  /** Of the present attempt. */
  #transport: MediaTransport = 'tcp';
  #attempt = 0;
  #stopped = false;
  #cancel = () => {};

  constructor(options: RtspSourceOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#backoff = new Backoff({ ...(options.random && { random: options.random }) });
    this.#working = options.working ?? new WorkingTransports();
    this.#status = { state: 'starting', since: this.#clock.now() };
    try {
      const { host } = parseTarget(options.url);
      if (options.restricted && isIP(host) !== 0) forbidInner(host, maskAddress(options.url));
    } catch (error) {
      if (!(error instanceof NamedError)) throw error;
      const { message: reason, code } = error;
      this.#status = { state: 'failed', reason, code, final: true, since: this.#clock.now() };
      return;
    }
    this.#connect(this.#firstChoice());
  }

  get status(): SourceTask['status'] {
    return this.#status;
  }

  /** Ends it: readers of the stream are held by the hub. Resolves when the connection is gone. Idempotent. */
  async stop(reason = 'The source was stopped.'): Promise<void> {
    if (this.#stopped) return;
    this.#stopped = true;
    await this.#release(reason);
  }

  #firstChoice(): MediaTransport {
    const { transport = 'auto', stream, url } = this.#options;
    // Beside the connection nothing would be encrypted.
    if (parseTarget(url).secure) return 'tcp';
    return transport === 'auto' ? (this.#working.get(stream, url) ?? 'udp') : transport;
  }

  #connect(transport: MediaTransport): void {
    const { hub, stream, url } = this.#options;
    this.#transport = transport;
    const attempt = ++this.#attempt;
    const current = () => attempt === this.#attempt && !this.#stopped;
    const failed = (error: NamedError) => {
      if (current()) this.#failed(error);
    };
    const shown = maskAddress(url);
    const connection = new RtspConnection(
      url,
      {
        described: (sdp, baseUrl) => {
          if (!current()) return;
          try {
            const pulling = new RtspPulling(shown, sdp, {
              hub,
              stream,
              publisher: { id: `${stream}#${attempt}`, door: 'source', remote: shown },
              clock: this.#clock,
              reorder: transport === 'udp',
              sendRtcp: (track, packet) => connection.sendRtcp(track, packet),
              onPublished: () => this.#published(),
              onRefused: failed,
            });
            this.#pulling = pulling;
            connection.play({ baseUrl, ...pulling.controls }, transport);
          } catch (error) {
            if (!(error instanceof NamedError)) throw error;
            failed(error);
          }
        },
        ready: (refused) => this.#pulling?.ready(refused),
        packet: (track, kind, payload) => {
          if (current()) this.#pulling?.receive(track, kind, payload);
        },
        failed,
      },
      {
        clock: this.#clock,
        trust: this.#options.trust,
        guarded: this.#options.restricted,
        firstMediaMs: this.#isFree && transport === 'udp' ? UDP_SILENCE_MS : undefined,
      },
    );
    this.#connection = connection;
  }

  /** Which transport is taken is our choice. */
  get #isFree(): boolean {
    return (this.#options.transport ?? 'auto') === 'auto';
  }

  #published(): void {
    this.#working.worked(this.#options.stream, this.#options.url, this.#transport);
    this.#change({ state: 'running' });
    this.#cancel = this.#clock.after(HEALTHY_MS, () => this.#backoff.reset());
  }

  #failed(error: NamedError): void {
    const running = this.#status.state === 'running';
    void this.#release(error.message);
    if (this.#isFree && !running && isTransportTrouble(error)) {
      // What worked once does not any more.
      this.#working.forget(this.#options.stream);
      if (this.#transport === 'udp') return this.#connect('tcp');
    }
    const ms = this.#backoff.next();
    const reason = `${error.message} The next attempt is in ${(ms / 1000).toFixed(1)} s.`;
    this.#cancel = this.#clock.after(ms, () => {
      // What was wrong stays to be seen until it is right.
      this.#change({ state: 'starting', reason: error.message, code: error.code });
      this.#connect(this.#firstChoice());
    });
    this.#change({ state: 'waiting', reason, trouble: error.message, code: error.code });
  }

  async #release(reason: string): Promise<void> {
    this.#attempt++;
    this.#cancel();
    const pulling = this.#pulling;
    const connection = this.#connection;
    this.#pulling = undefined;
    this.#connection = undefined;
    pulling?.close(reason);
    await connection?.close();
  }

  #change(status: Omit<SourceTask['status'], 'since'>): void {
    this.#status = { ...status, since: this.#clock.now() };
    this.#options.onState(this.#status);
  }
}

/** Another transport may help. */
function isTransportTrouble({ code }: NamedError): boolean {
  return code === 'RTSP_NO_MEDIA' || code === 'RTSP_TRANSPORT_REFUSED';
}
