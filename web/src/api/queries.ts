import { type UseQueryResult, useQuery, useQueryClient } from '@tanstack/react-query';
import { useEffect, useState } from 'react';
import { ReconnectingSocket } from '../player/reconnecting-socket.ts';
import type { AlgorithmInfo, Health, StreamInfo } from './types.ts';

/** The server asks who we are. */
export class LoginNeeded extends Error {}

/** @throws LoginNeeded */
export async function fetchJson<T>(path: string, signal: AbortSignal): Promise<T> {
  const response = await fetch(path, { signal, headers: { accept: 'application/json' } });
  if (response.status === 401) throw new LoginNeeded();
  if (!response.ok) throw new Error(`${path}: ${response.status}`);
  return (await response.json()) as T;
}

/** Logs in; gives the reason of the server where that fails. */
export async function logIn(
  user: string,
  password: string,
): Promise<{ readonly reason: string; readonly code?: string } | undefined> {
  const response = await fetch('/api/session', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ user, password }),
  });
  if (response.ok) return undefined;
  const body = (await response.json().catch(() => ({}))) as { error?: { message?: string; code?: string } };
  const { message = String(response.status), code } = body.error ?? {};
  return { reason: message, ...(code === undefined ? {} : { code }) };
}

/** Logs out, and shows what is left. */
export async function logOut(): Promise<void> {
  await fetch('/api/session', { method: 'DELETE' });
  location.reload();
}

/** Who we are; `user` is absent where nobody is asked. `manage`: we may change the server. */
export function useSession(): UseQueryResult<{ readonly user?: string; readonly manage?: boolean }> {
  return useQuery({
    queryKey: ['session'],
    queryFn: ({ signal }) => fetchJson<{ user?: string; manage?: boolean }>('/api/session', signal),
    staleTime: 60_000,
  });
}

/** All streams; `details` asks often enough for counters that are looked at. */
export function useStreams(): UseQueryResult<readonly StreamInfo[]> {
  return useQuery({
    queryKey: ['streams'],
    queryFn: async ({ signal }) =>
      (await fetchJson<{ streams: readonly StreamInfo[] }>('/api/streams', signal)).streams,
    refetchInterval: 2_500,
  });
}

export function useAlgorithms(): UseQueryResult<readonly AlgorithmInfo[]> {
  return useQuery({
    queryKey: ['algorithms'],
    queryFn: async ({ signal }) =>
      (await fetchJson<{ algorithms: readonly AlgorithmInfo[] }>('/api/algorithms', signal)).algorithms,
    staleTime: 60_000,
  });
}

export function useHealth(): UseQueryResult<Health> {
  return useQuery({
    queryKey: ['health'],
    queryFn: ({ signal }) => fetchJson<Health>('/api/health', signal),
  });
}

/** What a hint says that it is worth asking for again. */
function subject(hint: string): 'streams' | 'jobs' {
  return (JSON.parse(hint) as { readonly type?: string }).type === 'jobs' ? 'jobs' : 'streams';
}

/** Follows the server's hints, so that what changed is asked for at once. @returns whether the server is reachable. */
export function useServerEvents(): boolean {
  const client = useQueryClient();
  const [connected, setConnected] = useState(true);
  useEffect(() => {
    const scheme = location.protocol === 'https:' ? 'wss:' : 'ws:';
    const socket = new ReconnectingSocket(`${scheme}//${location.host}/api/events`, {
      open: () => {
        setConnected(true);
        void client.invalidateQueries();
      },
      text: (hint) => void client.invalidateQueries({ queryKey: [subject(hint)] }),
      binary: () => undefined,
      close: () => setConnected(false),
    });
    return () => socket.close();
  }, [client]);
  return connected;
}
