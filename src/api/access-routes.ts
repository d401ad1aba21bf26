import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { SECURE_SESSION_COOKIE, SESSION_COOKIE, sessionsOf } from '#hub/http-credentials.ts';
import { parseStreamName } from '#hub/name.ts';
import { systemClock } from '#util/clock.ts';
import { type ApiAccess, addressOf, type Gate } from './gate.ts';
import * as schemas from './schemas.ts';
import { timeText } from './views.ts';

const failure = schemas.errorBody;
const nothing = z.undefined().meta({ description: 'It is done.' });

/** `/api/session`: logging in and out at the page; `/api/links`: tokens for one stream. */
export function addAccessRoutes(instance: FastifyInstance, access: ApiAccess, gate: Gate): void {
  const app = instance.withTypeProvider<ZodTypeProvider>();

  app.get(
    '/api/session',
    {
      config: { access: 'known' },
      schema: {
        tags: ['access'],
        summary: 'Who am I?',
        response: { 200: schemas.session, 401: failure },
      },
    },
    (request) => {
      const { user, permits } = gate.caller(request);
      return { ...(user === undefined ? {} : { user }), manage: permits('manage', '') };
    },
  );

  app.post(
    '/api/session',
    {
      config: { access: 'open' },
      schema: {
        tags: ['access'],
        summary: 'Log in',
        description: 'The answer sets a cookie, which no script can read and no foreign page sends.',
        body: schemas.login,
        response: { 204: nothing, 401: failure, 429: failure },
      },
    },
    async (request, reply) => {
      const { user, password } = request.body;
      const session = await access.login(user, password, addressOf(request));
      reply.header('set-cookie', cookie(session, isSecure(request)));
      return reply.code(204).send();
    },
  );

  app.delete(
    '/api/session',
    {
      config: { access: 'open' },
      schema: { tags: ['access'], summary: 'Log out', response: { 204: nothing } },
    },
    async (request, reply) => {
      for (const session of sessionsOf(request.headers.cookie)) access.logout(session);
      // What came over HTTP before counts over HTTPS as well.
      const names = isSecure(request) ? [true, false] : [false];
      reply.header(
        'set-cookie',
        names.map((secure) => `${cookie('', secure)}; Max-Age=0`),
      );
      return reply.code(204).send();
    },
  );

  app.post(
    '/api/links',
    {
      config: { access: 'known' },
      schema: {
        tags: ['access'],
        summary: 'Make a token for one stream',
        description:
          'Whoever has it may do this with the stream until then, over every door: `?token=<token>` behind the address. It cannot be taken back one by one; all of them end with the server.',
        body: schemas.linkRequest,
        response: { 201: schemas.link, 400: failure, 401: failure, 403: failure },
      },
    },
    async (request, reply) => {
      const { actions, expiresSeconds } = request.body;
      const stream = parseStreamName(request.body.stream);
      const { user } = await gate.check(request, 'manage', stream);
      // Nobody gives away what they may not do.
      for (const action of actions) await gate.check(request, action, stream);
      const expires = systemClock.now() + expiresSeconds * 1000;
      const token = access.link(stream, actions, expires, user);
      return reply.code(201).send({ stream, actions, token, expires: timeText(expires) });
    },
  );
}

/** The page came over HTTPS: ours, or that of a proxy in front of us. */
function isSecure({ protocol, headers }: Pick<FastifyRequest, 'protocol' | 'headers'>): boolean {
  return protocol === 'https' || headers.origin?.startsWith('https:') === true;
}

function cookie(session: string, secure: boolean): string {
  const name = secure ? SECURE_SESSION_COOKIE : SESSION_COOKIE;
  return `${name}=${session}; Path=/; HttpOnly; SameSite=Strict${secure ? '; Secure' : ''}`;
}
