import type { ServerTrust } from '#clients/socket.ts';
import { parseWebRtcAddress } from '#clients/webrtc/address.ts';
import type { Publishing } from '#hub/publication.ts';
import { Backoff } from '#util/backoff.ts';
import { type Clock, systemClock } from '#util/clock.ts';
import { maskAddress } from '#util/mask-address.ts';
import { NamedError } from '#util/named-error.ts';
import type { SourceTask } from '../contract.ts';
import { WhepConnection } from './connection.ts';
import { WhepPulling } from './to-stream.ts';

/** After so many milliseconds of media an attempt counts as a success. */
const HEALTHY_MS = 30_000;
/** A server from which no media come for so long is left; the first ones included. */
const SILENCE_MS = 15_000;

export interface WhepSourceOptions {
  readonly hub: Publishing;
  /** Name of the stream that is published. */
  readonly stream: string;
  /** With credentials where they are needed. */
  readonly url: string;
  /** How the certificate of a server over HTTPS is judged. */
  readonly trust?: ServerTrust | undefined;
  /** It may not lead to this machine, its cable or its cloud. */
  readonly restricted?: boolean | undefined;
  readonly onState: (status: SourceTask['status']) => void;
  readonly clock?: Clock;
  /** Random numbers in [0, 1) of the back-off; a test gives its own. */
  readonly random?: () => number;
}

/**
 * Pulls a stream from a WHEP server for as long as it lives: asks, publishes, and begins anew when the server fails,
 * after waits that grow from 0.5 s to 30 s, also when it never was there.
 */
export class WhepSource implements SourceTask {
  readonly #options: WhepSourceOptions;
  readonly #clock: Clock;
  readonly #backoff: Backoff;
  #status: SourceTask['status'];
  #connection: WhepConnection | undefined;
  #pulling: WhepPulling | undefined;
  #attempt = 0;
  #stopped = false;
  #cancelWatch = () => {};
  #cancelWait = () => {};

  constructor(options: WhepSourceOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#backoff = new Backoff({ ...(options.random && { random: options.random }) });
    this.#status = { state: 'starting', since: this.#clock.now() };
    try {
      parseWebRtcAddress(options.url, 'whep');
    } catch (error) {
      if (!(error instanceof NamedError)) throw error;
      const { message: reason, code } = error;
      this.#status = { state: 'failed', reason, code, final: true, since: this.#clock.now() };
      return;
    }
    this.#connect();
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

  #connect(): void {
    const { hub, stream, url, trust = {}, restricted } = this.#options;
    const attempt = ++this.#attempt;
    const shown = maskAddress(url);
    const failed = (error: NamedError) => {
      if (attempt === this.#attempt && !this.#stopped) this.#failed(error);
    };
    const connection: WhepConnection = new WhepConnection(
      { url, trust, restricted, clock: this.#clock },
      {
        onTracks: (tracks) => {
          this.#pulling = new WhepPulling({
            hub,
            clock: this.#clock,
            stream,
            tracks,
            publisher: { id: `${stream}#${attempt}`, door: 'source', remote: shown },
            sendRtcp: (packet) => connection.sendRtcp(packet),
            onPublished: () => this.#published(),
            onEnd: failed,
          });
          this.#watch(this.#pulling, 0, () => {
            const sentence = `No media came from ${shown} for ${SILENCE_MS / 1000} s.`;
            failed(new NamedError('WEBRTC_NO_MEDIA', sentence, 504));
          });
        },
        onRtp: (packet) => this.#pulling?.receiveRtp(packet),
        onRtcp: (packet) => this.#pulling?.receiveRtcp(packet),
        onFailed: failed,
      },
    );
    this.#connection = connection;
  }

  #published(): void {
    this.#change({ state: 'running' });
    this.#cancelWait = this.#clock.after(HEALTHY_MS, () => this.#backoff.reset());
  }

  /** Calls when no unit came since the last look. */
  #watch(pulling: WhepPulling, before: number, onSilence: () => void): void {
    this.#cancelWatch = this.#clock.after(SILENCE_MS, () => {
      if (pulling.units === before) onSilence();
      else this.#watch(pulling, pulling.units, onSilence);
    });
  }

  #failed(error: NamedError): void {
    void this.#release(error.message);
    const ms = this.#backoff.next();
    const reason = `${error.message} The next attempt is in ${(ms / 1000).toFixed(1)} s.`;
    this.#cancelWait = this.#clock.after(ms, () => {
      // What was wrong stays to be seen until it is right.
      this.#change({ state: 'starting', reason: error.message, code: error.code });
      this.#connect();
    });
    this.#change({ state: 'waiting', reason, trouble: error.message, code: error.code });
  }

  async #release(reason: string): Promise<void> {
    this.#attempt++;
    this.#cancelWatch();
    this.#cancelWait();
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
