import type { JpegPicture } from '#media/jpeg-picture.ts';
import type { PicturesStarter } from '#servers/pictures/contract.ts';
import type { WorkerRoom } from './worker-room.ts';

/** Has pictures made by workers, beside what else looks at the stream. */
export function picturesStarter(workers: WorkerRoom): PicturesStarter {
  const takers = new Map<string, (picture: JpegPicture) => void>();
  workers.link.events.on('picture', (worker, { task, epoch, ...picture }) => {
    if (workers.pool.accepts(worker, task, epoch)) takers.get(task)?.(picture);
  });
  return (wish, on) => {
    const task = workers.pool.start({
      role: 'pipeline',
      affinity: wish.stream,
      spec: { kind: 'pictures', ...wish },
      onState: ({ state, reason, code, retryInMs }) => {
        if (state !== 'failed' && state !== 'stopped' && state !== 'waiting') return;
        const retried = state === 'waiting' || retryInMs !== undefined;
        on.trouble(reason ?? 'Its worker ended.', { code, retried });
      },
    });
    takers.set(task.id, on.picture);
    return () => {
      takers.delete(task.id);
      void task.stop();
    };
  };
}
