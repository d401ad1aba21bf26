import { type UseQueryResult, useQuery, useQueryClient } from '@tanstack/react-query';
import { fetchJson } from './queries.ts';

/** An entry of `streams` in the configuration, as `GET /api/config/streams` tells it. */
export interface ConfiguredStream {
  /** A name, or a pattern of names. */
  readonly name: string;
  readonly pattern: boolean;
  /** Another one when the entry is. */
  readonly version: string;
  readonly settings: {
    /** With `***` in the place of secrets. */
    readonly source?: string;
    /** Absent: as is usual for its kind of source. */
    readonly onDemand?: boolean;
  };
}

/** What the server says against a change, in a sentence; `code` stands in docs/errors.md. */
export interface Refusal {
  readonly reason: string;
  readonly code?: string | undefined;
}

const KEY = ['configured'];

/** The entries that whoever looks may change. */
export function useConfigured(): UseQueryResult<readonly ConfiguredStream[]> {
  return useQuery({
    queryKey: KEY,
    queryFn: async ({ signal }) =>
      (await fetchJson<{ streams: readonly ConfiguredStream[] }>('/api/config/streams', signal)).streams,
    refetchInterval: 10_000,
  });
}

/** Whether the source of an entry waits for somebody to watch, which the server decides where nothing is said. */
export function connectsOnDemand({
  pattern,
  settings: { source = '', onDemand },
}: ConfiguredStream): boolean {
  return onDemand ?? (pattern || /^[a-z]+:\/\//i.test(source));
}

/** Keys of an entry as they are to be; `null`: as by default. */
type Changes = {
  readonly [Key in keyof ConfiguredStream['settings']]?: ConfiguredStream['settings'][Key] | null;
};

/** Adding, changing and deleting; each gives the refusal of the server, or undefined when it is done. */
export function useConfigure(): {
  readonly add: (name: string, settings: ConfiguredStream['settings']) => Promise<Refusal | undefined>;
  /** Refused with STREAM_CHANGED where the entry is not the one any more that is given. */
  readonly change: (
    entry: Pick<ConfiguredStream, 'name' | 'version'>,
    settings: Changes,
  ) => Promise<Refusal | undefined>;
  readonly remove: (name: string) => Promise<Refusal | undefined>;
} {
  const client = useQueryClient();
  const ask = async (
    method: string,
    name: string,
    settings?: object,
    condition: Record<string, string> = {},
  ): Promise<Refusal | undefined> => {
    const response = await fetch(`/api/config/streams/${encodeURIComponent(name)}`, {
      method,
      headers: { ...condition, ...(settings ? { 'content-type': 'application/json' } : {}) },
      ...(settings ? { body: JSON.stringify(settings) } : {}),
    });
    await Promise.all([KEY, ['streams']].map((queryKey) => client.invalidateQueries({ queryKey })));
    if (response.ok) return undefined;
    const { error } = (await response.json().catch(() => ({}))) as {
      error?: { code?: string; message?: string };
    };
    return { reason: error?.message ?? String(response.status), code: error?.code };
  };
  return {
    // Somebody else's entry of this name is not written over.
    add: (name, settings) => ask('PUT', name, settings, { 'if-none-match': '*' }),
    change: ({ name, version }, settings) => ask('PATCH', name, settings, { 'if-match': `"${version}"` }),
    remove: (name) => ask('DELETE', name),
  };
}
