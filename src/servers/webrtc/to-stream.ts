import type { Hub } from '#hub/hub.ts';
import { LatePublication } from '#hub/late-publication.ts';
import type { PublisherInfo } from '#hub/publication.ts';
import type { ReceivedTrack } from '#protocols/sdp/webrtc-receive.ts';
import { MediaReceiver } from '#protocols/webrtc/media-receiver.ts';

export interface WebRtcPublishingOptions {
  readonly hub: Hub;
  /** Checked name of the stream. */
  readonly name: string;
  readonly publisher: PublisherInfo;
  readonly tracks: readonly ReceivedTrack[];
  readonly sendRtcp: (packet: Buffer) => void;
  /** The hub did not take it or ended it, or the publisher said goodbye: it wants to be closed. */
  readonly onClose: (reason: string) => void;
}

/** What one WebRTC publisher sends becomes a stream of the hub, with the first unit. */
export class WebRtcPublishing {
  readonly #receiver: MediaReceiver;
  readonly #publication: LatePublication;

  constructor({ hub, name: stream, publisher, tracks, sendRtcp, onClose }: WebRtcPublishingOptions) {
    this.#publication = new LatePublication({
      hub,
      stream,
      publisher,
      origin: () => this.#receiver,
      onEnd: ({ message }) => onClose(message),
    });
    this.#receiver = new MediaReceiver({
      tracks,
      clock: hub.options.clock,
      sendRtcp,
      onUnit: (unit) => this.#publication.write(unit),
      onTrack: (track) => this.#publication.changeTrack(track),
      onGoodbye: () => onClose('The publisher said goodbye.'),
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
    this.#receiver.close();
    this.#publication.close(reason);
  }
}
