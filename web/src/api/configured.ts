import { type UseQueryResult, useQuery, useQueryClient } from '@tanstack/react-query';
import { fetchJson } from './queries.ts';

/** An entry of `streams` in the configuration, as `GET /api/config/streams` tells it. */
export interface ConfiguredStream {
  /** A name, or a pattern of names. */
  readonly name: string;
  readonly pattern: boolean;
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

/** Adding and deleting; each gives the refusal of the server, or undefined when it is done. */
export function useConfigure(): {
  readonly add: (name: string, settings: ConfiguredStream['settings']) => Promise<Refusal | undefined>;
  readonly remove: (name: string) => Promise<Refusal | undefined>;
} {
  const client = useQueryClient();
  const ask = async (method: string, name: string, settings?: object): Promise<Refusal | undefined> => {
    const response = await fetch(`/api/config/streams/${encodeURIComponent(name)}`, {
      method,
      // Somebody else's entry of this name is not written over.
      headers: settings ? { 'content-type': 'application/json', 'if-none-match': '*' } : {},
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
    add: (name, settings) => ask('PUT', name, settings),
    remove: (name) => ask('DELETE', name),
  };
}
