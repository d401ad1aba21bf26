import type { Hooks } from '#hooks/hooks.ts';
import type { Hub } from '#hub/hub.ts';
import type { PublisherInfo } from '#hub/stream.ts';
import type { SourceStatus } from '#sources/configured.ts';

/** Doors that read for Sluice itself. */
const OWN_DOORS: ReadonlySet<string> = new Set(['link', 'composition', 'job']);

/**
 * Tells hooks what happens to streams.
 * @returns to be told of every state of a configured source
 */
export function connectHooks(hub: Hub, hooks: Hooks): (status: SourceStatus) => void {
  const publishers = new Map<string, PublisherInfo>();
  hub.events.on('publisher', ({ name: stream }, publisher, reason) => {
    const before = publishers.get(stream);
    if (before) {
      hooks.tell({ type: 'unpublish', stream, door: before.door, remote: before.remote, reason });
    }
    if (!publisher) return void publishers.delete(stream);
    publishers.set(stream, publisher);
    hooks.tell({ type: 'publish', stream, door: publisher.door, remote: publisher.remote });
  });
  hub.events.on('reader', ({ name: stream }, { door, remote }, joined) => {
    if (!OWN_DOORS.has(door)) hooks.tell({ type: joined ? 'read' : 'unread', stream, door, remote });
  });
  const ready = new Set<string>();
  return ({ stream, part, address, state, reason }) => {
    if (part) return;
    if (state === 'running') {
      if (ready.has(stream)) return;
      ready.add(stream);
      hooks.tell({ type: 'ready', stream, door: 'source', remote: address });
    } else if (ready.delete(stream)) {
      const why = reason === undefined ? {} : { reason };
      hooks.tell({ type: 'lost', stream, door: 'source', remote: address, ...why });
    }
  };
}
