import type { StartMuxer } from '#sinks/mpegts/forward.ts';
import type { WorkerRoom } from './worker-room.ts';

/** Sinks of MPEG-TS as tasks of workers of their own: what hangs in the network takes no source and no algorithm along. */
export function muxerStarter({ pool, link }: WorkerRoom): StartMuxer {
  const bytes = new Map<string, (total: number) => void>();
  link.events.on('statistics', (worker, task, epoch, statistics) => {
    const tell = bytes.get(task);
    if (!tell || !pool.accepts(worker, task, epoch)) return;
    const { bytesSent } = statistics as { readonly bytesSent?: unknown };
    if (typeof bytesSent === 'number' && bytesSent >= 0) tell(bytesSent);
  });
  return ({ stream, url, tracks, restricted }, { onUp, onBytes, onEnd }) => {
    const task = pool.start({
      role: 'sink',
      affinity: `${stream} ${url}`,
      spec: { kind: 'mpegts-sink', stream, url, tracks, ...(restricted ? { guard: true } : {}) },
      // The next attempt is the forward's own to make.
      restart: false,
      onState: ({ state, reason, code }) => {
        if (state === 'running') return onUp();
        if (state !== 'failed' && state !== 'done' && state !== 'stopped') return;
        bytes.delete(task.id);
        onEnd({ reason: reason ?? 'Its worker ended.', ...(code === undefined ? {} : { code }) });
      },
    });
    bytes.set(task.id, onBytes);
    return {
      async stop() {
        bytes.delete(task.id);
        await task.stop();
      },
    };
  };
}
