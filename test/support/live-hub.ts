import { Hub } from '#hub/hub.ts';
import type { Publication, PublisherHooks } from '#hub/stream.ts';
import type { Track } from '#media/track.ts';
import { VirtualClock } from '#util/clock.ts';
import { fakeReader, TextWriter } from './readers.ts';
import { audio, picture, video } from './units.ts';

export const hooks: PublisherHooks = { onClose: () => {} };
const publisher = { id: 'p', door: 'test', remote: 'test' };

/** A hub on virtual time whose stream `live` is published, and readers of it. */
export function liveHub(options: ConstructorParameters<typeof Hub>[0] = {}) {
  const clock = new VirtualClock();
  const hub = new Hub({ clock, ...options });
  const publish = (tracks: readonly Track[] = [video, audio], more = hooks) =>
    hub.publish('live', publisher, tracks, more);
  /** Attaches a new reader to the feed `key` of `live`. */
  const read = (key = 'text', tracks = [0, 1]) => {
    const stream = hub.get('live')!;
    const feed = stream.feed(key, tracks, () => new TextWriter());
    const reader = fakeReader({ clock, onClose: () => feed.detach(reader.reader) });
    feed.attach(reader.reader);
    return { ...reader, feed };
  };
  const send = (publication: Publication, from: number, to: number) => {
    for (let n = from; n < to; n++) {
      publication.write(picture(n));
      clock.advance(40);
    }
  };
  return { clock, hub, publish, read, send };
}
