import { lookup } from 'node:dns';
import { once } from 'node:events';
import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type OutgoingHttpHeaders,
  request as plainRequest,
  type RequestOptions,
  type Server,
  type ServerResponse,
} from 'node:http';
import { request as tlsRequest } from 'node:https';
import { type AddressInfo, isIP, type LookupFunction } from 'node:net';
import { pipeline } from 'node:stream/promises';
import { ForbiddenAddress, forbidInner, guardLookup } from '#util/guarded-lookup.ts';
import { maskAddress } from '#util/mask-address.ts';
import { messageOf } from '#util/named-error.ts';

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
  /** Any certificate is taken. */
  readonly insecure: boolean;
  /** The system's, by default. */
  readonly lookup?: LookupFunction;
  /** What may not be reached; for tests, whose servers are on this machine. */
  readonly forbid?: (address: string, shown: string) => void;
}

/**
 * A proxy on loopback through which FFmpeg fetches whatever an `http` or `https` address leads to: redirects, playlists,
 * segments, keys. FFmpeg looks names up by itself, and no option of its own keeps it from an address; here each
 * connection is judged when it is made, by the very address that it is made to.
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
  #refusal: ForbiddenAddress | undefined;

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

  /** Why something was not fetched, where it was because it must not be. */
  get refusal(): ForbiddenAddress | undefined {
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
      if (error instanceof ForbiddenAddress) this.#refusal ??= error;
      if (response.headersSent) response.destroy();
      else response.writeHead(error instanceof ForbiddenAddress ? 403 : 502).end(messageOf(error));
    };
    try {
      const outward = this.#request(url, request.method ?? 'GET', request.headers);
      outward.on('response', (answer) => void this.#answer(url, answer, response).catch(refuse));
      outward.on('error', refuse);
      outward.on('timeout', () => outward.destroy(new Error(`nothing came for ${SILENCE_MS / 1000} s`)));
      response.on('close', () => outward.destroy());
      outward.end();
    } catch (error) {
      refuse(error);
    }
  }

  #request(url: URL, method: string, headers: IncomingHttpHeaders) {
    const host = url.hostname.replace(/^\[|\]$/g, '');
    const secure = this.#secure.has(serverOf(url));
    const shown = maskAddress(url.href);
    const { forbid = forbidInner, insecure } = this.#options;
    if (isIP(host) !== 0) forbid(host, shown);
    const options: RequestOptions = {
      host,
      port: Number(url.port || 80),
      path: url.pathname + url.search,
      method,
      // No connection that was judged for another name is used again.
      agent: false,
      timeout: SILENCE_MS,
      lookup: guardLookup(this.#lookup, shown, forbid),
      headers: { ...passedOn(headers), host: hostHeader(url, secure) },
    };
    if (!secure) return plainRequest(options);
    const servername = isIP(host) === 0 ? host : '';
    return tlsRequest({ ...options, servername, rejectUnauthorized: !insecure });
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
