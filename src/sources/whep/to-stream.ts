import { LatePublication } from '#hub/late-publication.ts';
import type { PublisherInfo, Publishing } from '#hub/publication.ts';
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
  /** The hub did not take it or ended it, or the server said goodbye: it wants to be closed. */
  readonly onEnd: (error: NamedError) => void;
}

/** What comes of one connection to a WHEP server becomes a stream of the hub, with the first unit. */
export class WhepPulling {
  readonly #receiver: MediaReceiver;
  readonly #publication: LatePublication;
  #units = 0;

  constructor(options: WhepPullingOptions) {
    const { tracks, clock, sendRtcp } = options;
    this.#publication = new LatePublication({ ...options, origin: () => this.#receiver });
    this.#receiver = new MediaReceiver({
      tracks,
      clock,
      sendRtcp,
      onUnit: (unit) => {
        this.#units++;
        this.#publication.write(unit);
      },
      onTrack: (track) => this.#publication.changeTrack(track),
      onGoodbye: () => options.onEnd(new NamedError('WEBRTC_NO_MEDIA', 'The server said goodbye.', 502)),
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
    this.#receiver.close();
    this.#publication.close(reason);
  }
}
