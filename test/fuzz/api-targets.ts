import { parameterSchema } from '#algorithms/parameters.ts';
import { createApi } from '#api/server.ts';
import { parseViewerMessage } from '#api/viewer-messages.ts';
import { AccessControl } from '#auth/access-control.ts';
import { parseAuthorization } from '#util/authorization.ts';
import { domain } from '../support/api.ts';
import { expectNamed } from './expect-named.ts';
import type { FuzzTarget } from './run.ts';

const json = (value: unknown) => Buffer.from(JSON.stringify(value));

/** Bodies and addresses of the REST API, and what viewers say on the WebSocket of results. */
export const apiTargets: readonly FuzzTarget[] = [
  {
    name: 'REST bodies',
    share: 0.1,
    seeds: () => [
      json({ stream: 'a', algorithm: 'people', parameters: { threshold: 0.5 } }),
      json({ stream: 'nobody', algorithm: 'people' }),
    ],
    open: () => {
      const { app, clock, runs } = api();
      return {
        async take(input) {
          const answer = await app.inject({
            ...{ method: 'POST', url: '/api/runs', payload: input },
            headers: { host: '127.0.0.1', 'content-type': 'application/json' },
          });
          expectNamed(answer);
          if (answer.statusCode === 201) for (const run of runs.list()) await runs.stop(run.id);
          clock.advance(5000);
        },
        close: () => app.close(),
      };
    },
  },
  {
    name: 'REST addresses',
    share: 0.1,
    seeds: () =>
      ['/api/streams/yard/gate-1', '/api/runs/1?x=2', '/api/streams/a%2Fb', '/metrics', '/api/health'].map(
        (path) => Buffer.from(path),
      ),
    open: () => {
      const { app } = api();
      return {
        async take(input) {
          const url = `/${input.toString('latin1').replace(/[^\x21-\x7e]/g, '')}`;
          if (!URL.canParse(url, 'http://x')) return;
          expectNamed(await app.inject({ method: 'GET', url, headers: { host: '127.0.0.1' } }));
        },
        close: () => app.close(),
      };
    },
  },
  {
    name: 'messages of viewers',
    seeds: () => [
      json({ type: 'run', algorithm: 'people', parameters: { threshold: 0.6 } }),
      json({ type: 'release', algorithm: 'people' }),
    ],
    open: () => ({ take: (input) => void parseViewerMessage(input, false) }),
  },
  {
    name: 'authorizations',
    seeds: () => [
      Buffer.from('Basic YW5uYTpzZWNyZXQ='),
      Buffer.from('Bearer eyJhbGciOiJIUzI1NiJ9.e30.abc-_'),
      Buffer.from('Digest username="a", realm="b\\"c", uri="/d", algorithm=SHA-256, nc=00000001, qop=auth'),
    ],
    open: () => ({
      take: (input) => void parseAuthorization(input.toString('latin1')),
    }),
  },
];

function api() {
  const parts = domain();
  parts.publish('a');
  const algorithms = [...parts.algorithms.values()].map(({ manifest }) => ({
    ...manifest,
    parameters: parameterSchema(manifest),
  }));
  const app = createApi({
    ...{
      hub: parts.hub,
      runs: parts.runs,
      burnedIn: parts.burnedIn,
      sources: () => [],
      workers: () => [],
      algorithms: () => algorithms,
    },
    ...{
      access: new AccessControl({ users: [], tokens: [] }),
      place: { host: '127.0.0.1', names: [], origins: [], asksWho: false },
      version: '0',
      pageFolder: '/nowhere',
    },
    onFault: (error) => {
      throw error;
    },
  });
  return { ...parts, app };
}
