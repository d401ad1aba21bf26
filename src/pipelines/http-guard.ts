import { lookup } from 'node:dns';
import { once } from 'node:events';
import {
  type ClientRequest,
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type OutgoingHttpHeaders,
  request as plainRequest,
  type RequestOptions,
  type Server,
  type ServerResponse,
} from 'node:http';
import { type AddressInfo, isIP, type LookupFunction } from 'node:net';
import { pipeline } from 'node:stream/promises';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { ForbiddenAddress, forbidInner, guardLookup } from '#util/guarded-lookup.ts';
import { maskAddress } from '#util/mask-address.ts';
import { messageOf, NamedError } from '#util/named-error.ts';
import { distrust, type ServerTrust } from '#util/server-trust.ts';

/** The largest playlist of HLS that is taken. */
const PLAYLIST_BYTES = 4 << 20;
/** A server that says nothing for so long is given up, ms; whoever reads gives up by itself as well. */
const SILENCE_MS = 30_000;

/** Headers between two hops (RFC 9110 section 7.6.1), and those that would change what comes. */
const OWN_HEADERS = new Set([
  ...['connection', 'keep-alive', 'te', 'trailer', 'transfer-encoding', 'upgrade', 'host', 'accept-encoding'],
  ...['proxy-connection', 'proxy-authorization', 'proxy-authenticate'],
]);

export interface HttpGuardOptions {
  /** How certificates are judged; a `fingerprint` is that of the server of `address`. */
  readonly trust: ServerTrust;
  /** What is fetched first. */
  readonly address: string;
  /** The system's, by default. */
  readonly lookup?: LookupFunction;
  /** Throws for what may not be reached; by default that is this machine, its cable and its cloud. */
  readonly forbid?: (address: string, shown: string) => void;
}

/**
 * A proxy on loopback through which FFmpeg fetches whatever an `http` or `https` address leads to: redirects, playlists,
 * segments, keys. FFmpeg looks names up by itself, no option of its own keeps it from an address, and it takes any
 * certificate; here each connection is judged when it is made, by the very address that it is made to, and by who answers.
 *
 * FFmpeg is only ever told of plain `http`: with `https` it would want the protocol `httpproxy`, which a playlist could
 * then name too, and so get past us. `https://host/` is `http://host:443/` for FFmpeg, in playlists and redirects as well,
 * and we speak TLS where that was `https`.
 */
export class HttpGuard implements AsyncDisposable {
  readonly #server: Server;
  readonly #options: HttpGuardOptions;
  readonly #lookup: LookupFunction;
  /** `host:port` that speak TLS. */
  readonly #secure = new Set<string>();
  #refusal: NamedError | undefined;

  private constructor(server: Server, options: HttpGuardOptions) {
    this.#server = server;
    this.#options = options;
    this.#lookup = options.lookup ?? lookup;
  }

  static async open(options: HttpGuardOptions): Promise<HttpGuard> {
    const server = createServer({ keepAlive: true });
    const guard = new HttpGuard(server, options);
    server.on('request', (request, response) => guard.#handle(request, response));
    // Tunnels would carry what cannot be judged.
    server.on('connect', (_request, socket) => socket.destroy());
    server.on('clientError', (_error, socket) => socket.destroy());
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return guard;
  }

  /** What FFmpeg has to have as its `http_proxy`. */
  get proxy(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Why something was not fetched, where it was because it must not be, or its server is not trusted. */
  get refusal(): NamedError | undefined {
    return this.#refusal;
  }

  /** The address that FFmpeg is told instead of an `http` or `https` one. */
  inward(url: string): string {
    return url.replace(/^https:\/\/([^/?#]*@)?([^/?#@]+)/i, (whole, user: string = '', authority: string) => {
      const named = /:\d+$/.test(authority) ? authority : `${authority}:443`;
      const parsed = URL.parse(`http://${named}/`);
      if (!parsed) return whole;
      this.#secure.add(serverOf(parsed));
      return `http://${user}${named}`;
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }

  #handle(request: IncomingMessage, response: ServerResponse): void {
    const url = URL.parse(request.url ?? '');
    if (!url || url.protocol !== 'http:' || !['GET', 'HEAD'].includes(request.method ?? '')) {
      return void response.writeHead(400).end();
    }
    const refuse = (error: unknown) => {
      if (error instanceof NamedError) this.#refusal ??= error;
      if (response.headersSent) response.destroy();
      else response.writeHead(error instanceof ForbiddenAddress ? 403 : 502).end(messageOf(error));
    };
    const begun = (outward: ClientRequest) => {
      outward.on('response', (answer) => void this.#answer(url, answer, response).catch(refuse));
      outward.on('error', refuse);
      outward.on('timeout', () => outward.destroy(new Error(`nothing came for ${SILENCE_MS / 1000} s`)));
      response.on('close', () => outward.destroy());
      outward.end();
    };
    this.#request(url, request, response, begun).catch(refuse);
  }

  /** @param begun told at once of the request that was made: its error may come in the same tick */
  async #request(
    url: URL,
    { method, headers }: IncomingMessage,
    asker: ServerResponse,
    begun: (outward: ClientRequest) => void,
  ): Promise<void> {
    const host = url.hostname.replace(/^\[|\]$/g, '');
    const secure = this.#secure.has(serverOf(url));
    const shown = maskAddress(secure ? url.href.replace(/^http:/, 'https:') : url.href);
    const { forbid = forbidInner } = this.#options;
    if (isIP(host) !== 0) forbid(host, shown);
    const port = Number(url.port || 80);
    const find = guardLookup(this.#lookup, shown, forbid);
    const options: RequestOptions = {
      host,
      port,
      path: url.pathname + url.search,
      method: method ?? 'GET',
      timeout: SILENCE_MS,
      lookup: find,
      headers: { ...passedOn(headers), host: hostHeader(url, secure) },
    };
    if (secure) {
      const socket = await this.#encrypted({ host, port, lookup: find }, this.#trustIn(url), shown, asker);
      if (asker.destroyed) socket.destroy();
      else begun(plainRequest({ ...options, createConnection: () => socket }));
    } else {
      // No connection that was judged for another name is used again.
      begun(plainRequest({ ...options, agent: false }));
    }
  }

  #trustIn(url: URL): ServerTrust {
    const { trust, address } = this.#options;
    const first = URL.parse(address);
    const isFirst = first?.hostname === url.hostname && Number(first.port || 443) === Number(url.port || 80);
    return isFirst ? trust : { insecure: trust.insecure };
  }

  /** A connection to a server that is trusted; nothing was sent over it. */
  async #encrypted(
    where: { readonly host: string; readonly port: number; readonly lookup: LookupFunction },
    trust: ServerTrust,
    shown: string,
    asker: ServerResponse,
  ): Promise<TLSSocket> {
    // Addresses are no server names (RFC 6066 section 3). Judged below, where the error can tell the fingerprint.
    const servername = isIP(where.host) === 0 ? where.host : '';
    const socket = connectTls({ ...where, servername, rejectUnauthorized: false });
    const leave = () => socket.destroy(new Error('nobody waits for it any more'));
    asker.once('close', leave);
    socket.setTimeout(SILENCE_MS, () =>
      socket.destroy(new Error(`nobody answers for ${SILENCE_MS / 1000} s`)),
    );
    try {
      await once(socket, 'secureConnect');
    } finally {
      asker.off('close', leave);
      socket.setTimeout(0);
    }
    const { fingerprint256 } = socket.getPeerCertificate();
    const why = distrust(trust, fingerprint256, socket.authorized ? undefined : socket.authorizationError);
    if (why === undefined) return socket;
    socket.destroy();
    throw new NamedError('INPUT_CERTIFICATE_REFUSED', `${shown} ${why}`, 502);
  }

  async #answer(url: URL, answer: IncomingMessage, response: ServerResponse): Promise<void> {
    const headers = passedOn(answer.headers);
    const { location } = answer.headers;
    if (location !== undefined) {
      const base = this.#secure.has(serverOf(url)) ? url.href.replace(/^http:/, 'https:') : url.href;
      headers['location'] = this.inward(new URL(location, base).href);
    }
    const status = answer.statusCode ?? 502;
    // Also told when there is nothing at all.
    await once(answer, 'readable');
    const first = answer.read() as Buffer | null;
    if (first) answer.unshift(first);
    if (!first?.subarray(0, 16).toString('latin1').includes('#EXTM3U')) {
      response.writeHead(status, headers);
      return pipeline(answer, response);
    }
    const text = this.#rewrite(await whole(answer));
    delete headers['content-range'];
    response.writeHead(status === 206 ? 200 : status, { ...headers, 'content-length': text.length });
    response.end(text);
  }

  /** A playlist whose addresses FFmpeg can ask us for. */
  #rewrite(playlist: Buffer): Buffer {
    const text = playlist.toString('utf8').replace(/https:\/\/[^\s"]+/gi, (url) => this.inward(url));
    return Buffer.from(text);
  }
}

async function whole(playlist: AsyncIterable<Buffer>): Promise<Buffer> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of playlist) {
    parts.push(part);
    size += part.length;
    if (size > PLAYLIST_BYTES) throw new Error(`a playlist has more than ${PLAYLIST_BYTES} bytes`);
  }
  return Buffer.concat(parts);
}

function passedOn(headers: IncomingHttpHeaders): OutgoingHttpHeaders {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !OWN_HEADERS.has(name)));
}

/** Host and port, as a key. */
function serverOf(url: URL): string {
  return `${url.hostname}:${url.port || '80'}`;
}

/** As the server knows itself: without a port that goes without saying. */
function hostHeader(url: URL, secure: boolean): string {
  const port = url.port || '80';
  return port === (secure ? '443' : '80') ? url.hostname : `${url.hostname}:${port}`;
}
