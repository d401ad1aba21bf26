import type { RunManager } from '#cameras/runs.ts';
import type { RenditionStarter } from '#hub/rendition.ts';
import type { TaskInput } from '#link/messages.ts';
import type { WorkerRoom } from './worker-room.ts';

/**
 * Has a worker make a track of a stream something else, and tells it what the run found that it is to draw.
 * @param workers asked for with the first rendition, because workers need the hub that this is for, like `runs`
 */
export function renditionStarter(
  workers: () => Pick<WorkerRoom, 'pool'>,
  runs?: () => Pick<RunManager, 'events'>,
): RenditionStarter {
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
    const { burnIn } = wanted.request;
    const ignore = burnIn && runs ? tellFindings(burnIn.run, runs(), (input) => task.tell(input)) : () => {};
    return () => {
      ignore();
      void task.stop();
    };
  };
}

/** Hands on what a run finds, until the returned function is called. */
function tellFindings(
  id: string,
  { events }: Pick<RunManager, 'events'>,
  tell: (input: TaskInput) => void,
): () => void {
  const ignore = [
    events.on('result', (result) => result.run === id && tell({ kind: 'result', result })),
    events.on('picture', (run, picture) => run === id && tell({ kind: 'picture', picture })),
  ];
  return () => {
    for (const one of ignore) one();
  };
}
