import type { FastifyInstance } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { viewName } from '#cameras/burned-in-views.ts';
import type { RunInfo } from '#cameras/contract.ts';
import type { Action } from '#hub/access.ts';
import { parseStreamName } from '#hub/name.ts';
import { timeHeaders } from '#media/jpeg-picture.ts';
import { NamedError } from '#util/named-error.ts';
import type { ApiDependencies } from './dependencies.ts';
import type { Gate, RouteAccess } from './gate.ts';
import * as schemas from './schemas.ts';
import { brokerView, forwardView, hookView, runView, streamViews, timeText, workerView } from './views.ts';

const failure = schemas.errorBody;

/** Everything under `/api` that is asked for and answered. */
export function addRoutes(instance: FastifyInstance, deps: ApiDependencies, gate: Gate): void {
  const app = instance.withTypeProvider<ZodTypeProvider>();
  const { hub, runs, burnedIn } = deps;
  const shown = (run: RunInfo) => runView(run, burnedIn.nameOf(run), deps.frames?.channelOf(run.id));
  /** Of a run that there is not, nobody learns that but who may see all. */
  const ofRun =
    (action: Action): RouteAccess =>
    ({ params }) => [action, runs.get((params as { id: string }).id)?.stream ?? ''];

  app.get(
    '/api/health',
    {
      config: { access: 'open' },
      schema: {
        tags: ['server'],
        summary: 'Is it well?',
        response: { 200: z.union([schemas.health, schemas.healthStatus]) },
      },
    },
    async (request) => {
      const workers = deps.workers();
      const running = workers.filter((worker) => worker.state === 'running').length;
      const configuration = deps.configuration?.();
      const redis = deps.redis?.();
      const degraded =
        configuration?.error !== undefined ||
        redis?.reason !== undefined ||
        workers.some((worker) => worker.state === 'waiting');
      const status = degraded ? ('degraded' as const) : ('ok' as const);
      // Whoever watches over the server may ask how it is; the rest is for who manages it.
      if (!(await gate.may(request, 'manage', ''))) return { status };
      return {
        status,
        version: deps.version,
        node: process.version,
        uptimeSeconds: Math.round(process.uptime() * 1000) / 1000,
        streams: hub.streams.length,
        readers: hub.streams.reduce((sum, stream) => sum + stream.readerCount, 0),
        workers: {
          total: workers.length,
          running,
          restarts: workers.reduce((sum, worker) => sum + worker.restarts, 0),
        },
        ...(redis ? { redis: brokerView(redis) } : {}),
        ...(configuration
          ? { configuration: { ...configuration, loadedAt: timeText(configuration.loadedAt) } }
          : {}),
      };
    },
  );

  app.get(
    '/api/streams',
    {
      config: { access: 'known' },

      schema: {
        tags: ['streams'],
        summary: 'All streams',
        response: { 200: z.object({ streams: z.array(schemas.stream) }) },
      },
    },
    (request) => {
      const { permits } = gate.caller(request);
      return { streams: streamViews(deps).filter(({ name }) => permits('read', name)) };
    },
  );

  app.get(
    '/api/streams/*',
    {
      config: { access: readsStream },

      schema: {
        tags: ['streams'],
        summary: 'One stream',
        description: 'The slashes of the name may be written as they are or as %2F.',
        params: z.object({ '*': z.string().meta({ description: 'Name of the stream.' }) }),
        response: { 200: schemas.stream, 404: failure },
      },
    },
    (request) => {
      const name = request.params['*'];
      const stream = streamViews(deps).find((view) => view.name === name);
      if (stream) return stream;
      throw new NamedError(
        'STREAM_UNKNOWN',
        `There is no stream "${name}" now. /api/streams lists those that there are.`,
        404,
      );
    },
  );

  app.get(
    '/api/forwards',
    {
      config: { access: 'known' },
      schema: {
        tags: ['streams'],
        summary: 'Streams that are published elsewhere, and how that goes',
        response: { 200: z.object({ forwards: z.array(schemas.forward) }) },
      },
    },
    (request) => {
      const { permits } = gate.caller(request);
      const all = deps.forwards?.() ?? [];
      // Where a stream goes is for who manages it.
      return { forwards: all.filter(({ stream }) => permits('manage', stream)).map(forwardView) };
    },
  );

  app.get(
    '/api/algorithms',
    {
      config: { access: 'known' },

      schema: {
        tags: ['algorithms'],
        summary: 'All algorithms',
        response: { 200: z.object({ algorithms: z.array(schemas.algorithm) }) },
      },
    },
    () => ({
      algorithms: deps.algorithms().map(({ id, version, title, task, labels, parameters, licence }) => ({
        ...{ id, version, title, task, licence },
        labels: [...labels],
        parameters: { ...parameters },
      })),
    }),
  );

  app.get(
    '/api/runs',
    {
      config: { access: 'known' },

      schema: {
        tags: ['runs'],
        summary: 'All runs',
        querystring: z.strictObject({
          stream: z.string().optional().meta({ description: 'Only those of this stream.' }),
        }),
        response: { 200: z.object({ runs: z.array(schemas.run) }), 400: failure },
      },
    },
    (request) => {
      const { stream } = request.query;
      const { permits } = gate.caller(request);
      const wanted = runs
        .list()
        .filter((run) => (stream === undefined || run.stream === stream) && permits('read', run.stream));
      return { runs: wanted.map(shown) };
    },
  );

  app.post(
    '/api/runs',
    {
      config: { access: (request) => ['manage', streamOfBody(request.body)] },

      schema: {
        tags: ['runs'],
        summary: 'Start an algorithm on a stream',
        description: 'Where it runs already, the run is kept alive beyond its viewers. DELETE ends it.',
        body: schemas.runRequest,
        response: { 201: schemas.run, 400: failure, 404: failure, 409: failure },
      },
    },
    async (request, reply) => {
      const holder = { kind: 'api', id: 'api', reason: 'asked for over the API' } as const;
      const { burnIn, ...wish } = request.body;
      // Before the run begins: one whose view has no name that anybody could ask for is refused as a whole.
      if (burnIn) parseStreamName(viewName(wish.stream, wish.algorithm));
      const { run } = runs.acquire({ ...wish, holder });
      if (burnIn) burnedIn.ask(run, burnIn);
      return reply.code(201).header('location', `/api/runs/${run.id}`).send(shown(run));
    },
  );

  const runParameters = z.object({ id: z.string().meta({ description: 'Id of the run.' }) });

  app.get(
    '/api/runs/:id',
    {
      config: { access: ofRun('read') },

      schema: {
        tags: ['runs'],
        summary: 'One run',
        params: runParameters,
        response: { 200: schemas.run, 404: failure },
      },
    },
    (request) => {
      const run = runs.get(request.params.id);
      if (!run) throw unknownRun(request.params.id);
      return shown(run);
    },
  );

  app.get(
    '/api/runs/:id/frame.jpg',
    {
      config: { access: ofRun('read') },

      schema: {
        tags: ['runs'],
        summary: 'The newest picture that a run looked at',
        description:
          'As the run gives its frames out; where nobody looks at those now, the next one is made for this. `X-Pts` is the timestamp of the result that was made from it.',
        params: runParameters,
        response: {
          200: z.instanceof(Buffer).meta({ description: 'A JPEG.', type: 'string', format: 'binary' }),
          404: failure,
          503: failure,
        },
      },
    },
    async (request, reply) => {
      const { id } = request.params;
      if (!deps.frames) throw unknownRun(id);
      const frame = await deps.frames.newest(id);
      return reply
        .headers({ 'cache-control': 'no-store', ...timeHeaders(frame) })
        .type('image/jpeg')
        .send(frame.jpeg);
    },
  );

  app.delete(
    '/api/runs/:id',
    {
      config: { access: ofRun('manage') },

      schema: {
        tags: ['runs'],
        summary: 'End a run, whoever asked for it',
        params: runParameters,
        response: { 204: z.undefined().meta({ description: 'It is ended.' }), 404: failure },
      },
    },
    async (request, reply) => {
      await runs.stop(request.params.id);
      return reply.code(204).send();
    },
  );

  app.get(
    '/api/hooks',
    {
      config: { access: managesServer },
      schema: {
        tags: ['server'],
        summary: 'Hooks of the configuration, and how they went',
        response: { 200: z.object({ hooks: z.array(schemas.hook) }) },
      },
    },
    () => ({ hooks: (deps.hooks?.() ?? []).map(hookView) }),
  );

  app.get(
    '/api/workers',
    {
      config: { access: managesServer },

      schema: {
        tags: ['server'],
        summary: 'The processes that run native code',
        response: { 200: z.object({ workers: z.array(schemas.worker) }) },
      },
    },
    () => ({ workers: deps.workers().map(workerView) }),
  );
}

const readsStream: RouteAccess = ({ params }) => ['read', (params as { '*': string })['*']];

const managesServer: RouteAccess = () => ['manage', ''];

function streamOfBody(body: unknown): string {
  return (body as { stream: string }).stream;
}

function unknownRun(id: string): NamedError {
  return new NamedError('RUN_UNKNOWN', `There is no run "${id}". /api/runs lists those that there are.`, 404);
}
