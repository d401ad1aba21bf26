import type { ConversionTask, JobEnvironment } from '#jobs/job.ts';
import type { ConversionWish } from '#jobs/plan.ts';
import type { TaskSpec } from '#link/messages.ts';
import { fileTarget } from '#sinks/file/forward.ts';
import { confinedPath } from '#util/confined-path.ts';
import { messageOf, NamedError } from '#util/named-error.ts';
import type { WorkerRoom } from './worker-room.ts';

type Progress = ConversionTask['progress'];
type Status = ConversionTask['status'];

/** Makes files others, each as a task of a worker. */
export function conversionStarter({
  pool,
  link,
}: Pick<WorkerRoom, 'pool' | 'link'>): JobEnvironment['convert'] {
  const told = new Map<string, (progress: Progress) => void>();
  link.events.on('statistics', (worker, id, epoch, statistics) => {
    if (pool.accepts(worker, id, epoch)) told.get(id)?.(statistics as Progress);
  });
  return (wish, onState) => {
    let status: Status = { state: 'starting' };
    let progress: Progress = { timeMs: 0, speed: 0, fps: 0, bitRate: 0, bytesSent: 0 };
    const change = (next: Status) => {
      status = next;
      onState();
    };
    const abort = new AbortController();
    const begun = specOf(wish).then(
      (spec) => {
        if (abort.signal.aborted) return undefined;
        const task = pool.start({
          role: 'pipeline',
          affinity: wish.output.url,
          spec,
          // What it has written so far is in the way of another attempt.
          restart: false,
          onState: ({ state, reason, code }) => {
            if (state === 'running') return change({ state });
            if (state !== 'failed' && state !== 'done' && state !== 'stopped') return;
            told.delete(task.id);
            const why = { reason: reason ?? 'Its worker ended.', ...(code === undefined ? {} : { code }) };
            change(state === 'done' ? { state } : { state: 'failed', ...why });
          },
        });
        told.set(task.id, (next) => {
          const { speed, fps, ...rest } = next;
          progress = { ...rest, speed: Math.round(speed * 100) / 100, fps: Math.round(fps * 10) / 10 };
        });
        return task;
      },
      (error: unknown) => {
        const code = error instanceof NamedError ? { code: error.code } : {};
        change({ state: 'failed', reason: messageOf(error), ...code });
        return undefined;
      },
    );
    return {
      get status() {
        return status;
      },
      get progress() {
        return progress;
      },
      async stop() {
        abort.abort();
        const task = await begun;
        if (task) told.delete(task.id);
        await task?.stop();
      },
    };
  };
}

/** @throws NamedError SOURCE_FORBIDDEN, FILE_EXISTS, FILE_NOT_WRITABLE */
async function specOf({ input, output, video, audio }: ConversionWish): Promise<TaskSpec> {
  return {
    kind: 'convert',
    input: input.within ? await confinedPath(input.path, input.within) : input.path,
    ...(input.within && { within: input.within }),
    output: await fileTarget(output.url, output),
    ...(video && { video }),
    ...(audio && { audio }),
  };
}
