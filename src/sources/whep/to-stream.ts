import type { Outlet, PublisherInfo, Publishing } from '#hub/publication.ts';
import type { AccessUnit } from '#media/access-unit.ts';
import type { ReceivedTrack } from '#protocols/sdp/webrtc-receive.ts';
import { MediaReceiver } from '#protocols/webrtc/media-receiver.ts';
import type { Clock } from '#util/clock.ts';
import { NamedError } from '#util/named-error.ts';

export interface WhepPullingOptions {
  readonly hub: Publishing;
  readonly clock: Clock;
  readonly stream: string;
  readonly publisher: PublisherInfo;
  readonly tracks: readonly ReceivedTrack[];
  readonly sendRtcp: (packet: Buffer) => void;
  /** The first unit came, and the stream is there. */
  readonly onPublished: () => void;
  /** The hub did not take it or ended it, or the server said goodbye. */
  readonly onEnd: (error: NamedError) => void;
}

/** What comes of one connection to a WHEP server becomes a stream of the hub, with the first unit. */
export class WhepPulling {
  readonly #options: WhepPullingOptions;
  readonly #receiver: MediaReceiver;
  #publication: Outlet | undefined;
  #units = 0;
  #closed = false;

  constructor(options: WhepPullingOptions) {
    this.#options = options;
    this.#receiver = new MediaReceiver({
      tracks: options.tracks,
      clock: options.clock,
      sendRtcp: options.sendRtcp,
      onUnit: (unit) => this.#unit(unit),
      onTrack: (track) => this.#publication?.changeTrack(track),
      onGoodbye: () => this.#end('WEBRTC_NO_MEDIA', 'The server said goodbye.', 502),
    });
  }

  /** Units that came so far. */
  get units(): number {
    return this.#units;
  }

  receiveRtp(packet: Buffer): void {
    this.#receiver.receiveRtp(packet);
  }

  receiveRtcp(packet: Buffer): void {
    this.#receiver.receiveRtcp(packet);
  }

  /** The stream has lost its source. Idempotent. */
  close(reason: string): void {
    this.#closed = true;
    this.#receiver.close();
    this.#publication?.close(reason);
  }

  #unit(unit: AccessUnit): void {
    if (this.#closed) return;
    this.#units++;
    this.#publication ??= this.#publish();
    this.#publication?.write(unit);
  }

  #publish(): Outlet | undefined {
    const { hub, stream, publisher, onPublished } = this.#options;
    const { tracks, hooks } = this.#receiver;
    try {
      const publication = hub.publish(stream, publisher, tracks, {
        ...hooks,
        onClose: (reason) => this.#end('PUBLICATION_ENDED', reason, 409),
      });
      onPublished();
      return publication;
    } catch (error) {
      if (!(error instanceof NamedError)) throw error;
      this.#end(error.code, error.message, error.status);
      return undefined;
    }
  }

  #end(code: string, reason: string, status: number): void {
    if (this.#closed) return;
    this.close(reason);
    this.#options.onEnd(new NamedError(code, reason, status));
  }
}
