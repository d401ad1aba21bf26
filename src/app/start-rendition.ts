import type { RenditionStarter } from '#hub/rendition.ts';
import type { WorkerRoom } from './worker-room.ts';

/**
 * Has a worker make a track of a stream something else.
 * @param workers asked for with the first rendition, because workers need the hub that this is for
 */
export function renditionStarter(workers: () => Pick<WorkerRoom, 'pool'>): RenditionStarter {
  return (wanted, onFailure) => {
    const task = workers().pool.start({
      role: 'pipeline',
      affinity: wanted.stream,
      spec: { kind: 'rendition', ...wanted },
      onState: ({ state, reason, code, retryInMs }) => {
        if (state !== 'failed' && state !== 'stopped') return;
        // What cannot be made into it never will; everything else the pool tries again.
        const retried =
          retryInMs !== undefined && code !== 'RENDITION_UNSUPPORTED' && code !== 'ENCODER_MISSING';
        onFailure(reason ?? 'its worker ended.', { retried });
      },
    });
    return () => void task.stop();
  };
}
