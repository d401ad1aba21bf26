import { randomBytes } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { type Access, openAccess } from '#hub/access.ts';
import { credentialsOf, refusalHeaders } from '#hub/http-credentials.ts';
import type { Hub } from '#hub/hub.ts';
import type { Stream } from '#hub/stream.ts';
import { NamedError } from '#util/named-error.ts';
import { HlsMuxer, type Playlist } from './muxer.ts';
import { parseDirectives, parseRange, slice, tokenSuffix } from './request.ts';
import type { HlsSettings } from './settings.ts';

const PLAYLIST = 'application/vnd.apple.mpegurl';
/** Names of segments and parts are never used again. */
const SEGMENT_AGE_SECONDS = 3600;
/** Successful answers that were waited for, in target durations (RFC 8216bis appendix B). */
const BLOCKED_AGE = 6;

const METHODS = 'GET, HEAD, OPTIONS';
const COMMON = { 'x-content-type-options': 'nosniff' };

/** What of an address the door needs. */
export interface HlsTarget {
  readonly stream: string;
  /** Name of a file below `hls/`. */
  readonly rest: string;
  readonly query: URLSearchParams;
}

export interface HlsLog {
  info(message: string): void;
  error(about: object, message: string): void;
}

export interface HlsServerOptions {
  readonly hub: Hub;
  readonly settings: HlsSettings;
  readonly access?: Access;
  readonly logger?: HlsLog;
}

const SILENT: HlsLog = { info() {}, error() {} };

/** The HLS door: `/<stream>/index.m3u8` and what stands below `/<stream>/hls/`. One muxer a stream serves all players. */
export class HlsServer {
  readonly #hub: Hub;
  readonly #access: Access;
  readonly #log: HlsLog;
  readonly #muxers = new Map<string, HlsMuxer>();
  readonly #unlisten: () => void;
  #settings: HlsSettings;
  /** Larger than any discontinuity sequence number that was given out by muxers that ended. */
  #nextDiscontinuity = 0;
  #closed = false;

  constructor(options: HlsServerOptions) {
    this.#hub = options.hub;
    this.#settings = options.settings;
    this.#access = options.access ?? openAccess;
    this.#log = options.logger ?? SILENT;
    this.#unlisten = this.#hub.events.on('streamAdded', (stream) => {
      if (this.#settings.alwaysOn) this.#muxerOf(stream);
    });
  }

  /** Goes for streams whose first player comes from now on. */
  configure(settings: HlsSettings): void {
    this.#settings = settings;
  }

  /** Streams that are being made segments of. */
  get muxers(): number {
    return this.#muxers.size;
  }

  /** `/<stream>/index.m3u8` */
  readonly index = (request: IncomingMessage, response: ServerResponse, target: HlsTarget): void => {
    void this.#answer(request, response, target, async (signal) => {
      const muxer = this.#muxerOf(await this.#hub.wanted(target.stream, signal));
      muxer.touch();
      const playlist = await muxer.multivariant(tokenSuffix(target.query), signal);
      sendPlaylist(request, response, playlist, 1);
    });
  };

  /** `/<stream>/hls/<file>` */
  readonly file = (request: IncomingMessage, response: ServerResponse, target: HlsTarget): void => {
    void this.#answer(request, response, target, (signal) =>
      target.rest === 'media.m3u8'
        ? this.#sendMedia(request, response, target, signal)
        : this.#sendFile(request, response, target, signal),
    );
  };

  /** Ends all muxers; who waits for something hears the reason. Idempotent. */
  close(reason = 'The server is stopping.'): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#unlisten();
    for (const muxer of this.#muxers.values()) muxer.close(reason);
  }

  async #sendMedia(
    request: IncomingMessage,
    response: ServerResponse,
    { stream, query }: HlsTarget,
    signal: AbortSignal,
  ): Promise<void> {
    const directives = parseDirectives(query);
    const muxer = this.#muxerOf(await this.#hub.wanted(stream, signal));
    muxer.touch();
    const playlist = await muxer.media(directives, tokenSuffix(query), signal);
    const blocked = directives.sequence !== undefined && this.#settings.lowLatency;
    const age = blocked ? BLOCKED_AGE * muxer.targetDuration : Math.max(1, muxer.targetDuration >> 1);
    sendPlaylist(request, response, playlist, age);
  }

  async #sendFile(
    request: IncomingMessage,
    response: ServerResponse,
    { stream, rest }: HlsTarget,
    signal: AbortSignal,
  ): Promise<void> {
    const muxer = this.#muxers.get(stream);
    if (!muxer) {
      const sentence = `Nobody reads "${stream}" over HLS now. Ask for "/${stream}/index.m3u8" first.`;
      throw new NamedError('HLS_FILE_UNKNOWN', sentence, 404);
    }
    muxer.touch();
    const pieces = await muxer.file(rest, signal);
    const size = pieces.reduce((sum, { length }) => sum + length, 0);
    const range = parseRange(request.headers.range, size);
    response.setHeader('accept-ranges', 'bytes');
    if (range === 'unsatisfiable') {
      response.setHeader('content-range', `bytes */${size}`);
      throw new NamedError(
        'HLS_RANGE_INVALID',
        `The file has ${size} bytes, and no such range of them.`,
        416,
      );
    }
    const [first, last] = range === 'none' ? [0, size - 1] : [range.first, range.last];
    if (range !== 'none') response.setHeader('content-range', `bytes ${first}-${last}/${size}`);
    response.writeHead(range === 'none' ? 200 : 206, {
      'content-type': 'video/mp4',
      'content-length': last - first + 1,
      'cache-control': cacheControl(request, `max-age=${SEGMENT_AGE_SECONDS}, immutable`),
    });
    if (request.method === 'HEAD') return void response.end();
    // A player that takes nothing must not hold what the list has given up.
    response.setTimeout(this.#hub.options.readerLimits.stallMs, () => response.destroy());
    response.cork();
    for (const piece of range === 'none' ? pieces : slice(pieces, first, last)) response.write(piece);
    response.uncork();
    response.end();
  }

  #muxerOf(stream: Stream): HlsMuxer {
    const known = this.#muxers.get(stream.name);
    if (known) return known;
    if (this.#closed) throw new NamedError('HLS_NOT_READY', 'The server is stopping.', 503);
    const muxer: HlsMuxer = new HlsMuxer({
      hub: this.#hub,
      stream,
      settings: this.#settings,
      id: randomBytes(4).toString('hex'),
      firstDiscontinuity: this.#nextDiscontinuity,
      onEnd: (reason) => {
        // A stream without anything to play ends its muxer while that is being made.
        queueMicrotask(() => {
          if (this.#muxers.get(stream.name) === muxer) this.#muxers.delete(stream.name);
          this.#nextDiscontinuity = Math.max(this.#nextDiscontinuity, muxer.nextDiscontinuity);
        });
        this.#log.info(`HLS: no more segments of "${stream.name}". ${reason}`);
      },
    });
    this.#muxers.set(stream.name, muxer);
    this.#log.info(`HLS: makes segments of "${stream.name}".`);
    return muxer;
  }

  async #answer(
    request: IncomingMessage,
    response: ServerResponse,
    { stream, query }: HlsTarget,
    send: (signal: AbortSignal) => Promise<void>,
  ): Promise<void> {
    for (const [name, value] of Object.entries(COMMON)) response.setHeader(name, value);
    const gone = new AbortController();
    response.once('close', () => gone.abort());
    response.on('error', () => {});
    try {
      if (request.method === 'OPTIONS') return void response.writeHead(204, { allow: METHODS }).end();
      if (request.method !== 'GET' && request.method !== 'HEAD') {
        response.setHeader('allow', METHODS);
        throw new NamedError('METHOD_NOT_ALLOWED', 'HLS is read by GET and HEAD only.', 405);
      }
      await this.#access.check({
        action: 'read',
        stream,
        door: 'hls',
        remote: request.socket.remoteAddress ?? '',
        credentials: credentialsOf(request.headers, query),
      });
      await send(gone.signal);
    } catch (error) {
      this.#refuse(request, response, error);
    }
  }

  #refuse(request: IncomingMessage, response: ServerResponse, error: unknown): void {
    if (response.destroyed || response.headersSent) return void response.destroy();
    const expected = error instanceof NamedError;
    if (!expected) this.#log.error({ err: error }, 'the HLS door failed');
    const { code, message, status } = expected
      ? error
      : new NamedError('INTERNAL_ERROR', 'This is a bug in Sluice; its log says more.', 500);
    const body = Buffer.from(JSON.stringify({ error: { code, message } }));
    if (status === 503) response.setHeader('retry-after', '1');
    response.writeHead(status, {
      ...refusalHeaders(error, request.headers),
      'content-type': 'application/json; charset=utf-8',
      'content-length': body.length,
      'cache-control': 'no-store',
    });
    response.end(request.method === 'HEAD' ? undefined : body);
  }
}

/** Caches that many share may keep nothing that was given to one. */
function cacheControl(request: IncomingMessage, rule: string): string {
  const { authorization, cookie } = request.headers;
  return `${authorization === undefined && cookie === undefined ? 'public' : 'private'}, ${rule}`;
}

function sendPlaylist(
  request: IncomingMessage,
  response: ServerResponse,
  playlist: Playlist,
  maxAge: number,
): void {
  const packs = /(^|[\s,])(gzip|\*)(?!\s*;\s*q=0(\.0*)?\s*(,|$))/i.test(
    request.headers['accept-encoding'] ?? '',
  );
  const body = packs ? playlist.packed : playlist.plain;
  // It may vary with the origin of the page as well.
  response.appendHeader('vary', 'Accept-Encoding');
  response.writeHead(200, {
    'content-type': PLAYLIST,
    'content-length': body.length,
    'cache-control': cacheControl(request, `max-age=${maxAge}`),
    ...(packs ? { 'content-encoding': 'gzip' } : {}),
  });
  response.end(request.method === 'HEAD' ? undefined : body);
}
