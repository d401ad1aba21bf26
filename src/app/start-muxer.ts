import type { StartMuxer } from '#sinks/muxed-forward.ts';
import type { WorkerRoom } from './worker-room.ts';

/** What FFmpeg packs as tasks of workers of their own: what hangs in the network takes no source and no algorithm along. */
export function muxerStarter({ pool, link }: WorkerRoom): StartMuxer {
  const counts = new Map<string, (bytes: number, dropped: number) => void>();
  link.events.on('statistics', (worker, task, epoch, statistics) => {
    const tell = counts.get(task);
    if (!tell || !pool.accepts(worker, task, epoch)) return;
    const { bytesSent, dropped } = statistics as { readonly bytesSent?: unknown; readonly dropped?: unknown };
    const isCount = (value: unknown): value is number => typeof value === 'number' && value >= 0;
    if (isCount(bytesSent)) tell(bytesSent, isCount(dropped) ? dropped : 0);
  });
  return ({ stream, tracks, to }, { onUp, onCount, onEnd }) => {
    const task = pool.start({
      role: 'sink',
      affinity: `${stream} ${'url' in to ? to.url : to.path}`,
      spec: { kind: 'muxed-sink', stream, tracks, to },
      // The next attempt is the forward's own to make.
      restart: false,
      onState: ({ state, reason, code }) => {
        if (state === 'running') return onUp();
        if (state !== 'failed' && state !== 'done' && state !== 'stopped') return;
        counts.delete(task.id);
        onEnd({ reason: reason ?? 'Its worker ended.', ...(code === undefined ? {} : { code }) });
      },
    });
    counts.set(task.id, onCount);
    return {
      async stop() {
        counts.delete(task.id);
        await task.stop();
      },
    };
  };
}
