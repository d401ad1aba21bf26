import type { JobEntry } from '#config/job-schema.ts';
import { defaultConfig } from '#config/schema.ts';
import { RtpSequences } from '#feeds/rtp/rtp-sequences.ts';
import { Conversion } from '#jobs/conversion.ts';
import { Job } from '#jobs/job.ts';
import type { JobStatus } from '#jobs/job-status.ts';
import { planJob } from '#jobs/plan.ts';
import { systemClock } from '#util/clock.ts';
import { jobSettings } from './configured-jobs.ts';
import { withEngine } from './engine.ts';
import { forwardOpeners } from './forward-openers.ts';
import { messageLogger } from './logger.ts';
import { conversionStarter } from './start-conversion.ts';
import { sourceStarter } from './start-source.ts';

export interface TransportOptions {
  /** Ends it; what is on its way is written. */
  readonly stop: AbortSignal;
  /** It has begun, and can be looked at from now on. */
  readonly onBegin: (look: () => JobStatus) => void;
  /** What the workers have to say. */
  readonly onMessage: (level: 'warn' | 'error', message: string) => void;
}

/** What a transport leaves behind. */
export interface TransportEnd {
  readonly status: JobStatus;
  /** Somebody ended it. */
  readonly told: boolean;
}

/** Of a file that cannot be written on: the next attempt would meet the same. */
const FULL = 'FILE_DISK_FULL';

/**
 * Does one job in this process and its workers, until its input ends, it is told to end, or it cannot work. What does not
 * work at the first attempt ends it, because a mistyped address will never work; what has worked is tried again.
 * @throws NamedError CODEC_UNSUPPORTED where the output cannot carry what is to be made
 */
export async function transport(
  entry: JobEntry,
  { stop, onBegin, onMessage }: TransportOptions,
): Promise<TransportEnd> {
  // What is typed may lead anywhere; nothing else of a configuration counts here.
  const plan = planJob(jobSettings(entry.type, entry, defaultConfig()));
  return withEngine(messageLogger(onMessage), async (engine) => {
    const { hub, workers } = engine;
    const changed = Promise.withResolvers<void>();
    let begun = false;
    let ran = false;
    let hopeless: JobStatus | undefined;
    const look = () => {
      if (!begun) return;
      const { status } = job;
      ran ||= status.state === 'running';
      hopeless ??= isHopeless(status, ran) ? status : undefined;
      if (job.over || hopeless) changed.resolve();
    };
    const startSource = sourceStarter({ hub, workers });
    const openForward = forwardOpeners({ hub, sequences: new RtpSequences(), workers });
    const convert = conversionStarter(workers);
    const environment = { hub, clock: systemClock, startSource, openForward, convert };
    const Kind = plan.conversion ? Conversion : Job;
    await using job = new Kind(plan, environment, look);
    begun = true;
    onBegin(() => job.status);
    stop.addEventListener('abort', () => changed.resolve(), { once: true });
    look();
    if (!stop.aborted) await changed.promise;
    const told = stop.aborted && !job.over && !hopeless;
    await job.stop(told ? 'Stopped.' : (hopeless?.trouble ?? hopeless?.reason ?? 'The input has ended.'));
    return { status: hopeless ? { ...hopeless, state: 'failed' } : job.status, told };
  });
}

/** Whether waiting helps nothing: it never worked, or the disk is full. */
function isHopeless({ state, inputs, outputs }: JobStatus, ran: boolean): boolean {
  if (state !== 'waiting') return false;
  if (outputs.every(({ code }) => code === FULL)) return true;
  if (ran) return false;
  // What has no code is of the beginning: tracks that were not all there, a worker that is started again.
  const isOut = (part: JobStatus['inputs'][number]) =>
    (part.state === 'waiting' || part.state === 'failed') && part.code !== undefined;
  return inputs.every(isOut) || outputs.every(isOut);
}
