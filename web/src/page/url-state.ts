import { useCallback, useSyncExternalStore } from 'react';
import type { PlayMode } from '#algorithms/overlay/boxes.ts';
import { RUNGS, type Via } from '../player/ladder.ts';

/** What of the page stands in its address. */
export interface UrlState {
  readonly stream: string | undefined;
  readonly mode: PlayMode;
  /** `streams`: those of the configuration; `jobs`; absent: one stream is watched. */
  readonly view?: 'streams' | 'jobs' | undefined;
  /** The way in which the stream is to come; undefined: as this browser did it last, else the best that works. */
  readonly via: Via | undefined;
}

export function parseUrl(search: string): UrlState {
  const parameters = new URLSearchParams(search);
  const mode = parameters.get('mode') === 'live' ? 'live' : 'in-step';
  const via = (['auto', ...RUNGS] as const).find((one) => one === parameters.get('via'));
  const view = (['streams', 'jobs'] as const).find((one) => one === parameters.get('view'));
  return { stream: parameters.get('stream') || undefined, mode, via, view };
}

/** Slashes of stream names stay readable; what is as by default is left out. */
export function formatUrl(state: UrlState): string {
  const parts: string[] = [];
  if (state.stream) parts.push(`stream=${encodeURIComponent(state.stream).replaceAll('%2F', '/')}`);
  if (state.view) parts.push(`view=${state.view}`);
  if (state.mode !== 'in-step') parts.push(`mode=${state.mode}`);
  if (state.via !== undefined) parts.push(`via=${state.via}`);
  return parts.length > 0 ? `/?${parts.join('&')}` : '/';
}

const changed = 'sluice:address';

function subscribe(listener: () => void): () => void {
  globalThis.addEventListener('popstate', listener);
  globalThis.addEventListener(changed, listener);
  return () => {
    globalThis.removeEventListener('popstate', listener);
    globalThis.removeEventListener(changed, listener);
  };
}

/** The address as state: a change makes an entry in the history, and back goes back. */
export function useUrlState(): [UrlState, (change: Partial<UrlState>) => void] {
  const search = useSyncExternalStore(subscribe, () => location.search);
  const change = useCallback((next: Partial<UrlState>) => {
    const url = formatUrl({ ...parseUrl(location.search), ...next });
    if (url === location.pathname + location.search) return;
    history.pushState(null, '', url);
    globalThis.dispatchEvent(new Event(changed));
  }, []);
  return [parseUrl(search), change];
}
