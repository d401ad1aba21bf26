import type { JobOutputStatus, JobPartStatus, JobStatus } from './job-status.ts';

/** How one part of a job does; `trouble` is the reason without what differs from attempt to attempt. */
interface Part {
  readonly state: JobPartStatus['state'];
  readonly reason?: string;
  readonly trouble?: string;
  readonly code?: string;
}

/** How the parts of a job do. */
export interface JobParts {
  readonly inputs: readonly Part[];
  /** What is put together between them. */
  readonly compositions: readonly Part[];
  readonly outputs: readonly (Part & Pick<JobOutputStatus, 'url'>)[];
}

export type Verdict = Pick<JobStatus, 'state' | 'reason' | 'trouble' | 'code'>;

/**
 * What can be said of a job by what can be said of its parts. Who gives goes before who takes: without an input no output
 * can do anything. It runs as long as one of its outputs does, whatever the others do; of them the reason tells.
 */
export function judge({ inputs, compositions, outputs }: JobParts): Verdict {
  const failed = [...inputs, ...compositions].find(({ state }) => state === 'failed');
  if (failed) return verdict('failed', [failed]);
  if (outputs.length > 0 && outputs.every(({ state }) => state === 'failed'))
    return verdict('failed', outputs);
  const late = inputs.find(({ state }) => state === 'waiting' || state === 'stopped');
  if (late) return verdict('waiting', [late]);
  const coming = inputs.find(({ state }) => state === 'starting');
  if (coming) return verdict('starting', [coming]);
  const lacking = compositions.find(({ state }) => state === 'waiting');
  if (lacking) return verdict(lacking.reason === undefined ? 'starting' : 'waiting', [lacking]);
  return outward(compositions, outputs);
}

/** Everything is there that the outputs need. */
function outward(compositions: JobParts['compositions'], outputs: JobParts['outputs']): Verdict {
  const amiss = outputs.filter(isAmiss);
  if (outputs.some(({ state }) => state === 'running')) {
    // Of one that runs the reason tells what of it is missing.
    if (amiss.length === 0) return verdict('running', compositions);
    const some = `${amiss.length} of ${outputs.length} outputs ${amiss.length === 1 ? 'does' : 'do'} not take it: `;
    return verdict('running', amiss, some);
  }
  if (amiss.length === 0 || outputs.some(({ state }) => state === 'starting'))
    return verdict('starting', amiss);
  return verdict('waiting', amiss);
}

/** One that is tried again is amiss until it runs: from attempt to attempt nothing changes. */
function isAmiss({ state, reason }: Part): boolean {
  return state === 'waiting' || state === 'failed' || (state === 'starting' && reason !== undefined);
}

/** @param before stands before the reasons of the parts */
function verdict(state: JobStatus['state'], parts: readonly Part[], before = ''): Verdict {
  const together = (sentences: readonly string[]) => before + [...new Set(sentences)].join(' ');
  const reasons = parts.flatMap(({ reason }) => reason ?? []);
  if (reasons.length === 0) return { state };
  const trouble = together(parts.flatMap(({ reason, trouble: one = reason }) => one ?? []));
  const code = parts.find((part) => part.code !== undefined)?.code;
  return { state, reason: together(reasons), trouble, ...(code === undefined ? {} : { code }) };
}
