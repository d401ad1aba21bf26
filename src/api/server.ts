import { existsSync } from 'node:fs';
import type { IncomingHttpHeaders } from 'node:http';
import { join, sep } from 'node:path';
import fastifyStatic from '@fastify/static';
import fastifySwagger from '@fastify/swagger';
import fastify, { type FastifyInstance, type FastifyReply } from 'fastify';
import {
  jsonSchemaTransform,
  jsonSchemaTransformObject,
  serializerCompiler,
  validatorCompiler,
} from 'fastify-type-provider-zod';
import { NamedError } from '#util/named-error.ts';
import { addAccessRoutes } from './access-routes.ts';
import { answerErrors, badRequest, errorBody, unknownRoute } from './answers.ts';
import type { ApiDependencies } from './dependencies.ts';
import { Gate } from './gate.ts';
import { httpLimits, MAX_CONNECTIONS } from './http-limits.ts';
import { addJobRoutes } from './job-routes.ts';
import { Metrics } from './metrics.ts';
import { corsHeaders, PREFLIGHT_HEADERS, requestRefusal } from './request-guard.ts';
import { addRoutes } from './routes.ts';
import { addStreamEntryRoutes } from './stream-entry-routes.ts';

const READING = new Set(['GET', 'HEAD', 'OPTIONS']);

/** No page of somebody else may frame ours, and nothing is taken for another type than it has. */
const PROTECTION = { 'x-content-type-options': 'nosniff', 'x-frame-options': 'SAMEORIGIN' };

/**
 * The HTTP door: the API under `/api` with its OpenAPI document, `/metrics`, and the page for everything else. It does
 * not listen; the caller does, and gives WebSockets (`app.server`'s `upgrade`) to where they belong.
 */
export function createApi(deps: ApiDependencies): FastifyInstance {
  const refusalOf = ({ headers, method }: { headers: IncomingHttpHeaders; method: string }) =>
    requestRefusal(headers, deps.place, !READING.has(method));
  const app = fastify({
    logger: false,
    http: httpLimits,
    // Fastify sets these two itself, and has other defaults.
    requestTimeout: httpLimits.requestTimeout,
    keepAliveTimeout: httpLimits.keepAliveTimeout,
    bodyLimit: 1 << 20,
    forceCloseConnections: true,
    routerOptions: { maxParamLength: 1024 },
    // An address that cannot be decoded gets neither to the hooks nor to the error handler.
    frameworkErrors: (error, request, reply) => {
      const refusal = refusalOf(request);
      const status = refusal?.status ?? error.statusCode ?? 400;
      (reply as FastifyReply)
        .headers(PROTECTION)
        .code(status)
        .send(errorBody(refusal ?? badRequest(error.message)));
    },
  });
  app.server.maxConnections = MAX_CONNECTIONS;
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(serializerCompiler);
  answerErrors(app, deps.onFault ?? (() => {}));
  app.addHook('onRequest', async (request, reply) => {
    const refusal = refusalOf(request);
    if (refusal) throw refusal;
    const cors = Object.entries(corsHeaders(request.headers, deps.place));
    // On the bare response, so that the doors past the routes have them too.
    for (const [name, value] of cors) reply.raw.setHeader(name, value);
    const isPreflight =
      request.method === 'OPTIONS' && request.headers['access-control-request-method'] !== undefined;
    if (isPreflight && cors.length > 0) return reply.code(204).headers(PREFLIGHT_HEADERS).send();
  });
  app.addHook('onSend', async (_request, reply) => {
    reply.headers(PROTECTION);
  });

  const gate = new Gate(app, deps.access);

  app.register(fastifySwagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Sluice',
        version: deps.version,
        description: 'Live video streams, the algorithms that look at them, and the server itself.',
        license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
      },
    },
    transform: withNamedWildcard,
    transformObject: jsonSchemaTransformObject,
  });
  const metrics = new Metrics(deps);
  // Only routes that come after it is loaded get into the OpenAPI document.
  app.after(() => {
    addRoutes(app, deps, gate);
    addAccessRoutes(app, deps.access, gate);
    if (deps.jobs) addJobRoutes(app, deps.jobs, gate);
    if (deps.entries) addStreamEntryRoutes(app, deps.entries, gate);
    const hidden = { schema: { hide: true } };
    app.get('/api/openapi.json', { ...hidden, config: { access: 'known' } }, () => app.swagger());
    const managers = { access: () => ['manage', ''] as const };
    app.get('/metrics', { ...hidden, config: managers }, async (_request, reply) =>
      reply.type(metrics.contentType).send(await metrics.text()),
    );
  });
  addPage(app, deps.pageFolder);
  return app;
}

/** The page: its files, and `index.html` for every other address that a browser asks for as a page. */
function addPage(app: FastifyInstance, folder: string): void {
  // Files are looked for whenever they are asked for: the page may be built, or built anew, while the server runs.
  app.register(fastifyStatic, {
    root: folder,
    wildcard: true,
    schemaHide: true,
    cacheControl: false,
    setHeaders: (reply, path) => {
      // Vite puts a hash of the content into the names below assets/.
      const hashed = path.startsWith(join(folder, 'assets') + sep);
      reply.header('cache-control', hashed ? 'public, max-age=31536000, immutable' : 'no-cache');
    },
  });
  app.setNotFoundHandler((request, reply) => {
    const path = request.url.split('?', 1)[0] ?? '';
    const reading = request.method === 'GET' || request.method === 'HEAD';
    const asPage = request.headers.accept?.includes('text/html') ?? false;
    if (reading && asPage && !/^\/(api|metrics|assets)(\/|$)/.test(path) && !/\.[^/]*$/.test(path)) {
      if (existsSync(join(folder, 'index.html')))
        return reply.header('cache-control', 'no-cache').sendFile('index.html');
      const missing = new NamedError(
        'PAGE_MISSING',
        'The page is not built. Run "npm run build:web" in the project, then load it again.',
        404,
      );
      return reply.code(missing.status).send(errorBody(missing));
    }
    const unknown = unknownRoute(request.method, path);
    return reply.code(unknown.status).send(errorBody(unknown));
  });
}

/** OpenAPI has no wildcards: `/api/streams/*` is documented as `/api/streams/{name}`. */
const withNamedWildcard: typeof jsonSchemaTransform = (input) => {
  const { schema, url } = jsonSchemaTransform(input);
  if (!url.endsWith('/*')) return { schema, url };
  const text = JSON.stringify(schema).replaceAll('"*"', '"name"');
  return { schema: JSON.parse(text) as typeof schema, url: `${url.slice(0, -1)}:name` };
};
