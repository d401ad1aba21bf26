import type { JobOutputStatus, JobPartStatus, JobStatus } from './job-status.ts';

/** How the parts of a job do. */
export interface JobParts {
  readonly inputs: readonly JobPartStatus[];
  /** What is put together between them. */
  readonly compositions: readonly {
    readonly state: 'waiting' | 'running' | 'failed';
    readonly reason?: string;
    readonly code?: string;
  }[];
  readonly outputs: readonly Pick<JobOutputStatus, 'url' | 'state' | 'reason' | 'code'>[];
}

type Verdict = Pick<JobStatus, 'state' | 'reason' | 'code'>;
type Part = Omit<JobPartStatus, 'url' | 'trouble'>;

/**
 * What can be said of a job by what can be said of its parts. Who gives goes before who takes: without an input no output
 * can do anything. It runs as long as one of its outputs does, whatever the others do; of them the reason tells.
 */
export function judge({ inputs, compositions, outputs }: JobParts): Verdict {
  const failed = [...inputs, ...compositions].find(({ state }) => state === 'failed');
  if (failed) return verdict('failed', failed);
  const [refused] = outputs;
  if (refused && outputs.every(({ state }) => state === 'failed')) {
    return { ...verdict('failed', refused), ...reasonOf(sentences(outputs)) };
  }
  const late = inputs.find(({ state }) => state === 'waiting' || state === 'stopped');
  if (late) return verdict('waiting', late);
  const coming = inputs.find(({ state }) => state === 'starting');
  if (coming) return verdict('starting', coming);
  const lacking = compositions.find(({ state }) => state === 'waiting');
  if (lacking) return verdict(lacking.reason === undefined ? 'starting' : 'waiting', lacking);
  return outward(compositions, outputs);
}

/** Everything is there that the outputs need. */
function outward(compositions: JobParts['compositions'], outputs: JobParts['outputs']): Verdict {
  const amiss = outputs.filter(({ state }) => state === 'waiting' || state === 'failed');
  const [worst] = amiss;
  if (outputs.some(({ state }) => state === 'running')) {
    const incomplete = compositions.find(({ reason }) => reason !== undefined);
    if (!worst) return incomplete ? verdict('running', incomplete) : { state: 'running' };
    const some = `${amiss.length} of ${outputs.length} outputs ${amiss.length === 1 ? 'does' : 'do'} not take it`;
    return { ...verdict('running', worst), ...reasonOf(`${some}: ${sentences(amiss)}`) };
  }
  if (!worst || outputs.some(({ state }) => state === 'starting')) {
    return worst ? verdict('starting', worst) : { state: 'starting' };
  }
  return { ...verdict('waiting', worst), ...reasonOf(sentences(amiss)) };
}

function sentences(parts: readonly Part[]): string | undefined {
  const all = new Set(parts.flatMap(({ reason }) => reason ?? []));
  return all.size > 0 ? [...all].join(' ') : undefined;
}

function verdict(state: JobStatus['state'], { reason, code }: Omit<Part, 'state'>): Verdict {
  return { state, ...reasonOf(reason), ...(code === undefined ? {} : { code }) };
}

function reasonOf(reason: string | undefined): { readonly reason?: string } {
  return reason === undefined ? {} : { reason };
}
