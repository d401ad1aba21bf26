import type { FastifyInstance, FastifyReply } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { API_KEYS, restrictedParts } from '#config/entry-change.ts';
import { entryVersion } from '#config/entry-version.ts';
import { showAddress } from '#config/shown-address.ts';
import { isStreamPattern } from '#config/stream-pattern.ts';
import type { StreamEntry } from '#config/stream-schema.ts';
import { NamedError } from '#util/named-error.ts';
import type { StreamEntriesAccess } from './dependencies.ts';
import type { Gate, RouteAccess } from './gate.ts';
import { errorBody as failure } from './schemas.ts';
import { entry, entryBody, entryPatch } from './stream-entry-schemas.ts';

const tags = ['streams'];
const failures = { 400: failure, 403: failure, 404: failure, 409: failure };
const params = z.object({
  '*': z.string().meta({ description: 'Name of the stream, or a pattern of names, percent-encoded.' }),
});

/** `/api/config/streams`: what the configuration says about streams, and changing it. */
export function addStreamEntryRoutes(
  instance: FastifyInstance,
  entries: StreamEntriesAccess,
  gate: Gate,
): void {
  const app = instance.withTypeProvider<ZodTypeProvider>();
  const one = '/api/config/streams/*';

  app.get(
    '/api/config/streams',
    {
      config: { access: 'known' },
      schema: {
        tags,
        summary: 'The streams of the configuration',
        description: 'Those that whoever asks may manage; patterns for who manages the server.',
        response: { 200: z.object({ streams: z.array(entry) }) },
      },
    },
    (request) => {
      const { permits } = gate.caller(request);
      const all = [...entries.list()].filter(([key]) => permits('manage', concerned(key)));
      return { streams: all.map(([key, value]) => entryView(key, value)) };
    },
  );

  const shown = (key: string) => {
    const found = entries.list().get(key);
    if (found) return entryView(key, found);
    throw new NamedError(
      'STREAM_NOT_CONFIGURED',
      `The configuration has no stream "${key}". GET /api/config/streams lists those that it has; PUT makes one.`,
      404,
    );
  };

  const answer = (reply: FastifyReply, key: string) => {
    const body = shown(key);
    reply.header('etag', `"${body.version}"`);
    return body;
  };

  app.get(
    one,
    {
      config: { access: managesEntry },
      schema: {
        tags,
        summary: 'What the configuration says about a stream',
        params,
        response: { 200: entry, 404: failure },
      },
    },
    (request, reply) => answer(reply, keyOf(request.params)),
  );

  app.put(
    one,
    {
      config: { access: managesEntry },
      schema: {
        tags,
        summary: 'Configure a stream',
        description:
          'Makes the entry, or puts this one in its place, and saves it into the configuration file. With `If-None-Match: *` only where there is none, with `If-Match` only where it is still the one of that ETag. `***` in an address stands for the secret that is stored.',
        params,
        body: entryBody,
        response: { 200: entry, 201: entry, 412: failure, ...failures },
      },
    },
    async (request, reply) => {
      const key = keyOf(request.params);
      const fresh = request.headers['if-none-match']?.trim() === '*';
      const match = matchOf(request.headers['if-match']);
      const created = await entries.set(key, { keys: request.body, whole: true, fresh, match });
      if (created) reply.header('location', `/api/config/streams/${encodeURIComponent(key)}`);
      return reply.code(created ? 201 : 200).send(answer(reply, key));
    },
  );

  app.patch(
    one,
    {
      config: { access: managesEntry },
      schema: {
        tags,
        summary: 'Change some of what the configuration says about a stream',
        description:
          'Keys that are not there stay as they are; one that is `null` gets its default (RFC 7396). With `If-Match` only where it is still the one of that ETag.',
        params,
        body: entryPatch,
        response: { 200: entry, 412: failure, ...failures },
      },
    },
    async (request, reply) => {
      const key = keyOf(request.params);
      const match = matchOf(request.headers['if-match']);
      await entries.set(key, { keys: request.body, whole: false, match });
      return answer(reply, key);
    },
  );

  app.delete(
    one,
    {
      config: { access: managesEntry },
      schema: {
        tags,
        summary: 'Take a stream out of the configuration',
        description: 'Its source ends at once, and with it the stream.',
        params,
        response: { 204: z.undefined().meta({ description: 'It is out.' }), 412: failure, ...failures },
      },
    },
    async (request, reply) => {
      await entries.remove(keyOf(request.params), matchOf(request.headers['if-match']));
      return reply.code(204).send();
    },
  );
}

const managesEntry: RouteAccess = ({ params }) => ['manage', concerned(keyOf(params as { '*': string }))];

/** Slashes around a name are forgiven; who may is asked of the same name that is written. */
function keyOf({ '*': key }: { readonly '*': string }): string {
  return isStreamPattern(key) ? key : key.replace(/^\/+|\/+$/g, '');
}

/** The versions that `If-Match` names (RFC 9110 section 13.1.1), of which one has to be; undefined: any may be. */
function matchOf(header: string | undefined): readonly string[] | undefined {
  if (header === undefined || header.trim() === '*') return undefined;
  return [...header.matchAll(/"([^"]*)"/g)].flatMap(([, version]) => version ?? []);
}

/** The stream that an entry is about; a pattern is about any, and so about the server. */
function concerned(key: string): string {
  return isStreamPattern(key) ? '' : key;
}

function entryView(name: string, value: StreamEntry): z.output<typeof entry> {
  const { source, fill } = value;
  const settings = Object.fromEntries(API_KEYS.map((key) => [key, value[key]]));
  return {
    name,
    pattern: isStreamPattern(name),
    restricted: restrictedParts(value),
    version: entryVersion(value),
    settings: {
      ...settings,
      ...(source === undefined ? {} : { source: showAddress(source) }),
      ...(fill === undefined ? {} : { fill: showAddress(fill) }),
      forward: value.forward.map(shownForward),
      detect: value.detect.map((wish) => ({ ...wish })),
    },
  };
}

function shownForward({ url, fingerprint, insecure }: StreamEntry['forward'][number]) {
  return { url: showAddress(url), ...(fingerprint === undefined ? {} : { fingerprint }), insecure };
}
