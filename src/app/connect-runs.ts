import type { Result, RunStatistics } from '#algorithms/contract.ts';
import type { Bus } from '#bus/bus.ts';
import type { RunManager } from '#cameras/runs.ts';
import type { Hub } from '#hub/hub.ts';
import type { Stream } from '#hub/stream.ts';
import type { Logger } from './logger.ts';
import type { WorkerRoom } from './worker-room.ts';

const ON_STANDBY = 'The source is gone and its stand-by is shown: algorithms do not look at that.';

/** What travels on the bus: `results/<stream>`. */
export interface BusTopics {
  results: Result;
}

/** Ties runs to what they live on: streams that come and go, and what workers find. */
export function connectRuns(options: {
  hub: Hub;
  runs: RunManager;
  bus: Bus<BusTopics>;
  workers: WorkerRoom;
  log: Logger;
}): void {
  const { hub, runs, bus, workers, log } = options;
  const look = ({ name, state }: Stream) => {
    if (state === 'live') runs.streamStarted(name);
    // What an algorithm would see there is not what the camera sees.
    if (state === 'standby') runs.streamEnded(name, ON_STANDBY);
  };
  hub.events.on('streamAdded', look);
  hub.events.on('streamChanged', look);
  hub.events.on('streamRemoved', ({ name }, reason) => runs.streamEnded(name, reason));
  workers.link.events.on('result', (worker, task, epoch, result) => {
    if (workers.pool.accepts(worker, task, epoch)) runs.result(task, epoch, result as Result);
  });
  workers.link.events.on('picture', (worker, { task, epoch, byAlgorithm, ...picture }) => {
    if (byAlgorithm && workers.pool.accepts(worker, task, epoch)) runs.picture(task, epoch, picture);
  });
  workers.link.events.on('statistics', (worker, task, epoch, statistics) => {
    if (workers.pool.accepts(worker, task, epoch)) runs.statistics(task, epoch, statistics as RunStatistics);
  });
  runs.events.on('result', (result) => bus.publish(`results/${result.stream}`, result));
  runs.events.on('runStarted', ({ id, stream }) => {
    log.info({ run: id }, 'run started');
    if (hub.get(stream)?.state === 'standby') runs.streamEnded(stream, ON_STANDBY);
  });
  runs.events.on('runStopped', ({ id }, reason) => log.info({ run: id }, `run stopped: ${reason}`));
  runs.events.on('runChanged', ({ id, state, reason }) => {
    if (state === 'failed') log.warn({ run: id }, `run failed: ${reason}`);
    else log.debug({ run: id, reason }, `run ${state}`);
  });
}
