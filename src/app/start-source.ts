import type { Hub } from '#hub/hub.ts';
import type { StartSource } from '#sources/configured.ts';
import { RtmpSource } from '#sources/rtmp/source.ts';
import { RtspSource } from '#sources/rtsp/source.ts';
import { WorkingTransports } from '#sources/rtsp/working-transports.ts';
import { WhepSource } from '#sources/whep/source.ts';
import { sourceTask } from './source-task.ts';
import type { WorkerRoom } from './worker-room.ts';

/** Begins sources: by our own protocol code, or in a worker. */
export function sourceStarter(options: {
  readonly hub: Hub;
  readonly workers: Pick<WorkerRoom, 'pool'>;
}): StartSource {
  const { hub, workers } = options;
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
        return workers.pool.start({
          role: 'source',
          affinity: settings.stream,
          spec: sourceTask(settings, part),
          onState,
        });
    }
  };
}
