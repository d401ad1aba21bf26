import type { Hub } from '#hub/hub.ts';
import type { Publication, PublisherInfo } from '#hub/stream.ts';
import type { AccessUnit } from '#media/access-unit.ts';
import type { ReceivedTrack } from '#protocols/sdp/webrtc-receive.ts';
import { MediaReceiver } from '#protocols/webrtc/media-receiver.ts';
import { NamedError } from '#util/named-error.ts';

export interface WebRtcPublishingOptions {
  readonly hub: Hub;
  /** Checked name of the stream. */
  readonly name: string;
  readonly publisher: PublisherInfo;
  readonly tracks: readonly ReceivedTrack[];
  readonly sendRtcp: (packet: Buffer) => void;
  /** The hub did not take it or ended it, or the publisher said goodbye. */
  readonly onClose: (reason: string) => void;
}

/**
 * What one WebRTC publisher sends becomes a stream of the hub, with the first unit: who only promises media takes no
 * stream over.
 */
export class WebRtcPublishing {
  readonly #options: WebRtcPublishingOptions;
  readonly #receiver: MediaReceiver;
  #publication: Publication | undefined;
  #closed = false;

  constructor(options: WebRtcPublishingOptions) {
    this.#options = options;
    this.#receiver = new MediaReceiver({
      tracks: options.tracks,
      clock: options.hub.options.clock,
      sendRtcp: options.sendRtcp,
      onUnit: (unit) => this.#unit(unit),
      onTrack: (track) => this.#publication?.changeTrack(track),
      onGoodbye: () => this.#end('The publisher said goodbye.'),
    });
  }

  receiveRtp(packet: Buffer): void {
    this.#receiver.receiveRtp(packet);
  }

  receiveRtcp(packet: Buffer): void {
    this.#receiver.receiveRtcp(packet);
  }

  /** The publisher is gone. Idempotent. */
  close(reason: string): void {
    this.#closed = true;
    this.#receiver.close();
    this.#publication?.close(reason);
  }

  #unit(unit: AccessUnit): void {
    if (this.#closed) return;
    this.#publication ??= this.#publish();
    this.#publication?.write(unit);
  }

  #publish(): Publication | undefined {
    const { hub, name, publisher } = this.#options;
    const { tracks, hooks } = this.#receiver;
    try {
      return hub.publish(name, publisher, tracks, {
        ...hooks,
        onClose: (reason) => this.#end(reason),
      });
    } catch (error) {
      if (!(error instanceof NamedError)) throw error;
      this.#end(error.message);
      return undefined;
    }
  }

  #end(reason: string): void {
    if (this.#closed) return;
    this.close(reason);
    this.#options.onClose(reason);
  }
}
