import type { Config } from '#config/schema.ts';
import type { JobEnvironment } from '#jobs/job.ts';
import type { JobStatus } from '#jobs/job-status.ts';
import { Jobs } from '#jobs/jobs.ts';
import { systemClock } from '#util/clock.ts';
import { configuredJobs } from './configured-jobs.ts';
import { conversionStarter } from './start-conversion.ts';
import type { WorkerRoom } from './worker-room.ts';

/** The jobs of a configuration, at work. */
export function beginJobs(
  config: Config,
  options: Pick<JobEnvironment, 'hub' | 'startSource' | 'openForward'> & {
    readonly workers: WorkerRoom;
    /** As the log wants it. */
    readonly onState: (status: Omit<JobStatus, 'name'> & { readonly job: string }) => void;
  },
): Jobs {
  const { hub, startSource, openForward, workers, onState } = options;
  return new Jobs(configuredJobs(config), {
    ...{ hub, startSource, openForward, clock: systemClock },
    convert: conversionStarter(workers),
    onState: ({ name, ...status }) => onState({ ...status, job: name }),
  });
}
