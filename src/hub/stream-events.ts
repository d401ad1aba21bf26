import type { PublisherInfo } from './publication.ts';
import type { Reader } from './reader.ts';

/** What a stream tells whoever reads or shows it. */
export interface StreamEvents {
  /** A track's format changed, or a new publisher brought tracks. */
  tracks(): void;
  /** The publisher is gone; readers are held for so many milliseconds. */
  held(ms: number): void;
  /** A publisher is there again. */
  live(): void;
  /** The publisher is gone, and something else is shown meanwhile. */
  standby(): void;
  /** A reader came (`joined`), or left. */
  reader(reader: Reader, joined: boolean): void;
  /** A publisher came, and why the one before it left. */
  publisher(publisher: PublisherInfo | undefined, reason: string): void;
  /** A feed lost its last reader. */
  feedClosed(): void;
  /** A new publisher brought other tracks: readers that can choose anew. The others follow by what stays. */
  replaced(): void;
  /** More is known of the order in which the pictures come, see `Stream.orderOf`. */
  order(): void;
  ended(reason: string): void;
}
