import type { Hub } from '#hub/hub.ts';
import type { StartSource } from '#sources/configured.ts';
import type { SourceTask } from '#sources/contract.ts';
import { RtmpSource } from '#sources/rtmp/source.ts';
import { RtspSource } from '#sources/rtsp/source.ts';
import { WorkingTransports } from '#sources/rtsp/working-transports.ts';
import { WhepSource } from '#sources/whep/source.ts';
import { sourceTask } from './source-task.ts';
import type { WorkerRoom } from './worker-room.ts';

/** Begins sources: by our own protocol code, or in a worker. */
export function sourceStarter(options: {
  readonly hub: Hub;
  readonly workers: Pick<WorkerRoom, 'pool' | 'link'>;
}): StartSource {
  const { hub, workers } = options;
  const startTask = taskStarter(workers);
  const working = { main: new WorkingTransports(), fill: new WorkingTransports() };
  return (settings, onState, part) => {
    const where = part === 'fill' ? hub.fills : hub;
    switch (settings.kind) {
      case 'rtsp':
        return new RtspSource({ ...settings, hub: where, working: working[part ?? 'main'], onState });
      case 'rtmp':
        return new RtmpSource({ ...settings, hub: where, onState });
      case 'whep':
        return new WhepSource({ ...settings, hub: where, onState });
      default:
        return startTask(settings, onState, part);
    }
  };
}

/** Sources in workers, which say how long a file is. */
function taskStarter({ pool, link }: Pick<WorkerRoom, 'pool' | 'link'>) {
  const durations = new Map<string, number>();
  link.events.on('statistics', (worker, id, epoch, statistics) => {
    const { durationMs } = statistics as { readonly durationMs?: unknown };
    if (typeof durationMs === 'number' && pool.accepts(worker, id, epoch)) durations.set(id, durationMs);
  });
  return (
    settings: Parameters<typeof sourceTask>[0],
    onState: (status: SourceTask['status']) => void,
    part: 'fill' | undefined,
  ): SourceTask => {
    const task = pool.start({
      role: 'source',
      affinity: settings.stream,
      spec: sourceTask(settings, part),
      onState,
    });
    return {
      get status() {
        return task.status;
      },
      get durationMs() {
        return durations.get(task.id);
      },
      async stop() {
        durations.delete(task.id);
        await task.stop();
      },
    };
  };
}
