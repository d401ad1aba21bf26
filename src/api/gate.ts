import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Access, Action, Credentials } from '#hub/access.ts';
import { credentialsOf } from '#hub/http-credentials.ts';
import { AccessRefusal } from '#util/access-refusal.ts';

/**
 * What a route asks of who calls it: `open` nothing, `known` that they are somebody at all; else leave to do this with a
 * stream, or with the server where the name is empty. `list`: as `known`, and the route shows each their own part.
 */
export type RouteAccess = 'open' | 'known' | ((request: FastifyRequest) => readonly [Action, string]);

/** What the API needs of who decides about access. */
export interface ApiAccess extends Access {
  /** @throws AccessRefusal as `check` does, but for ACCESS_FORBIDDEN */
  permissionsOf(request: {
    readonly door: string;
    readonly remote: string;
    readonly credentials: Credentials;
  }): Promise<Caller>;
  /** Begins a session of the page; gives what its cookie holds. */
  login(user: string, password: string, remote: string): Promise<string>;
  logout(session: string): void;
  link(stream: string, actions: readonly Action[], expires: number, by: string | undefined): string;
}

export interface Caller {
  readonly user: string | undefined;
  permits(action: Action, stream: string): boolean;
}

declare module 'fastify' {
  interface FastifyContextConfig {
    access?: RouteAccess;
  }
}

/** Asks everybody who calls the API whether they may. Closed by default: a route that does not say what it asks is a bug. */
export class Gate {
  readonly #access: ApiAccess;
  readonly #callers = new WeakMap<FastifyRequest, Caller>();

  constructor(app: FastifyInstance, access: ApiAccess) {
    this.#access = access;
    app.addHook('onRoute', ({ url, config }) => {
      if (/^\/(api|metrics)(\/|$)/.test(url) && config?.access === undefined) {
        throw new Error(`The route ${url} does not say who may use it.`);
      }
    });
    app.addHook('preHandler', async (request) => {
      const wanted = request.routeOptions.config.access;
      if (wanted === undefined || wanted === 'open') return;
      if (wanted === 'known') {
        this.#callers.set(request, await access.permissionsOf(asked(request)));
        return;
      }
      const [action, stream] = wanted(request);
      await this.check(request, action, stream);
    });
  }

  /** @throws AccessRefusal */
  check(request: FastifyRequest, action: Action, stream: string) {
    return this.#access.check({ action, stream, ...asked(request) });
  }

  /** Whether who calls may; somebody who shows something wrong is told so. */
  async may(request: FastifyRequest, action: Action, stream: string): Promise<boolean> {
    try {
      await this.check(request, action, stream);
      return true;
    } catch (error) {
      const nobody = asked(request).credentials.kind === 'none';
      if (error instanceof AccessRefusal && (error.status === 403 || nobody)) return false;
      throw error;
    }
  }

  /** Who calls a route that asks for somebody `known`. */
  caller(request: FastifyRequest): Caller {
    const caller = this.#callers.get(request);
    if (!caller) throw new Error('This route asks nobody who they are.');
    return caller;
  }
}

function asked(request: FastifyRequest) {
  const query = new URLSearchParams(request.url.split('?').slice(1).join('?'));
  return { door: 'api', remote: addressOf(request), credentials: credentialsOf(request.headers, query) };
}

/** The IP address of who calls. */
export function addressOf({ socket }: Pick<FastifyRequest, 'socket'>): string {
  return socket.remoteAddress ?? '';
}
