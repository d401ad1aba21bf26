import type { AccessUnit } from '#media/access-unit.ts';
import type { Track } from '#media/track.ts';
import { NamedError } from '#util/named-error.ts';
import type { Outlet, PublisherHooks, PublisherInfo, Publishing } from './publication.ts';

/** Where units come from that are to be published. */
export interface UnitOrigin {
  /** With the formats that they have by now. */
  readonly tracks: readonly Track[];
  readonly hooks: Omit<PublisherHooks, 'onClose'>;
}

export interface LatePublicationOptions {
  readonly hub: Publishing;
  readonly stream: string;
  readonly publisher: PublisherInfo;
  /** Asked with the first unit. */
  readonly origin: () => UnitOrigin;
  /** The hub has taken the stream. */
  readonly onPublished?: () => void;
  /** The hub did not take it, or ended it. Called once at most, and not after `close`. */
  readonly onEnd: (error: NamedError) => void;
}

/** A publication that begins with its first unit: who only promises media takes no stream over. */
export class LatePublication {
  readonly #options: LatePublicationOptions;
  #publication: Outlet | undefined;
  #closed = false;

  constructor(options: LatePublicationOptions) {
    this.#options = options;
  }

  write(unit: AccessUnit): void {
    if (this.#closed) return;
    this.#publication ??= this.#publish();
    this.#publication?.write(unit);
  }

  /** Before the first unit there is nobody to tell. */
  changeTrack(track: Track): void {
    this.#publication?.changeTrack(track);
  }

  /** Asks whoever brings the picture for a keyframe; throttled. */
  requestKeyframe(): void {
    this.#publication?.requestKeyframe();
  }

  /** Idempotent. */
  close(reason: string): void {
    this.#closed = true;
    this.#publication?.close(reason);
  }

  #publish(): Outlet | undefined {
    const { hub, stream, publisher, origin, onPublished } = this.#options;
    const { tracks, hooks } = origin();
    try {
      const publication = hub.publish(stream, publisher, tracks, {
        ...hooks,
        onClose: (reason) => this.#end(new NamedError('PUBLICATION_ENDED', reason, 409)),
      });
      onPublished?.();
      return publication;
    } catch (error) {
      if (!(error instanceof NamedError)) throw error;
      this.#end(error);
      return undefined;
    }
  }

  #end(error: NamedError): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#options.onEnd(error);
  }
}
