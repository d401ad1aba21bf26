import { type UseQueryResult, useQuery, useQueryClient } from '@tanstack/react-query';
import type { Refusal } from './configured.ts';
import { fetchJson } from './queries.ts';

export const JOB_TYPES = ['push', 'relay', 'transcode', 'split', 'merge'] as const;
export type JobType = (typeof JOB_TYPES)[number];

/** A job as `GET /api/jobs` tells it. Times are RFC 3339 text. */
export interface JobInfo {
  readonly name: string;
  readonly type: JobType;
  readonly state: 'starting' | 'running' | 'waiting' | 'failed' | 'stopped';
  /** Why it does not run, or what of it does not. */
  readonly reason?: string;
  readonly code?: string;
  readonly since: string;
  readonly progress: {
    readonly timeMs: number;
    readonly durationMs?: number;
    readonly speed: number;
    readonly fps: number;
    readonly bitRate: number;
    readonly drops: number;
    readonly bytesSent: number;
  };
  readonly inputs: readonly JobPart[];
  readonly outputs: readonly JobPart[];
  /** Oldest first. */
  readonly log: readonly { readonly time: string; readonly level: string; readonly message: string }[];
}

export interface JobPart {
  readonly url: string;
  readonly state: string;
  readonly reason?: string;
  readonly code?: string;
}

const KEY = ['jobs'];

/** The jobs that whoever looks may manage. */
export function useJobs(): UseQueryResult<readonly JobInfo[]> {
  return useQuery({
    queryKey: KEY,
    queryFn: async ({ signal }) => (await fetchJson<{ jobs: readonly JobInfo[] }>('/api/jobs', signal)).jobs,
    refetchInterval: 2_500,
  });
}

/** What can be done with jobs; each gives the refusal of the server, or undefined when it is done. */
export interface JobActions {
  /** Makes one; somebody else's of that name is not written over. */
  readonly add: (name: string, settings: Readonly<Record<string, unknown>>) => Promise<Refusal | undefined>;
  readonly remove: (name: string) => Promise<Refusal | undefined>;
  readonly start: (name: string) => Promise<Refusal | undefined>;
  readonly stop: (name: string) => Promise<Refusal | undefined>;
}

export function useJobActions(): JobActions {
  const client = useQueryClient();
  const ask = async (path: string, request: RequestInit): Promise<Refusal | undefined> => {
    const response = await fetch(`/api/jobs/${path}`, request);
    await client.invalidateQueries({ queryKey: KEY });
    if (response.ok) return undefined;
    const { error } = (await response.json().catch(() => ({}))) as {
      error?: { code?: string; message?: string };
    };
    return { reason: error?.message ?? String(response.status), code: error?.code };
  };
  const of = (name: string) => encodeURIComponent(name);
  return {
    add: (name, settings) =>
      ask(of(name), {
        method: 'PUT',
        headers: { 'content-type': 'application/json', 'if-none-match': '*' },
        body: JSON.stringify(settings),
      }),
    remove: (name) => ask(of(name), { method: 'DELETE' }),
    start: (name) => ask(`${of(name)}/start`, { method: 'POST' }),
    stop: (name) => ask(`${of(name)}/stop`, { method: 'POST' }),
  };
}
