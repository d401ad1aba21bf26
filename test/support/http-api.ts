import { onTestFinished } from 'vitest';
import { parameterSchema } from '#algorithms/parameters.ts';
import type { ApiDependencies } from '#api/dependencies.ts';
import { createApi } from '#api/server.ts';
import { AccessControl } from '#auth/access-control.ts';
import { domain } from './api.ts';

/** The API over a hub and runs as they are, asked without a port; it is closed when its test is over. */
export function api(options: Partial<ApiDependencies> = {}) {
  const parts = domain();
  const app = createApi({
    hub: parts.hub,
    runs: parts.runs,
    burnedIn: parts.burnedIn,
    sources: () => [],
    algorithms: () =>
      [...parts.algorithms.values()].map(({ manifest }) => ({
        ...manifest,
        parameters: parameterSchema(manifest),
      })),
    workers: () => [
      {
        id: 'pipeline-1',
        role: 'pipeline',
        pid: 7,
        state: 'running',
        since: 0,
        restarts: 2,
        quarantine: false,
        rssBytes: 100,
        tasks: [],
      },
    ],
    access: new AccessControl({ users: [], tokens: [] }),
    place: { host: '127.0.0.1', names: [], origins: [], asksWho: false },
    version: '1.2.3',
    pageFolder: '/nowhere',
    ...options,
  });
  onTestFinished(() => app.close());
  const get = (url: string, headers: Record<string, string> = {}) =>
    app.inject({ method: 'GET', url, headers: { host: '127.0.0.1:8888', ...headers } });
  return { ...parts, app, get };
}
