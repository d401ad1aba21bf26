import type { Config } from '#config/schema.ts';
import type { JobEnvironment } from '#jobs/job.ts';
import { Jobs } from '#jobs/jobs.ts';
import { systemClock } from '#util/clock.ts';
import { configuredJobs } from './configured-jobs.ts';
import { conversionStarter } from './start-conversion.ts';
import type { TroubleLog } from './trouble-log.ts';
import type { WorkerRoom } from './worker-room.ts';

/** The jobs of a configuration, at work. */
export function beginJobs(
  config: Config,
  options: Pick<JobEnvironment, 'hub' | 'startSource' | 'openForward'> & {
    readonly workers: WorkerRoom;
    readonly log: TroubleLog;
    /** Something about a job changed. */
    readonly onChange: () => void;
  },
): Jobs {
  const { hub, startSource, openForward, workers, log, onChange } = options;
  const logged = new Map<string, string>();
  return new Jobs(configuredJobs(config), {
    ...{ hub, startSource, openForward, clock: systemClock },
    convert: conversionStarter(workers),
    onState: ({ name, ...status }) => {
      onChange();
      // Of one that runs the outputs that do not may change many times.
      const text = `${status.state} ${status.trouble}`;
      if (logged.get(name) === text) return;
      logged.set(name, text);
      log.state({ ...status, job: name });
    },
  });
}
