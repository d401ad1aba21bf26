import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Access } from '#hub/access.ts';
import type { Feed } from '#hub/feed.ts';
import { credentialsOf, refusalHeaders } from '#hub/http-credentials.ts';
import type { Hub } from '#hub/hub.ts';
import { Reader } from '#hub/reader.ts';
import type { Stream } from '#hub/stream.ts';
import { timeHeaders } from '#media/jpeg-picture.ts';
import { messageOf, NamedError } from '#util/named-error.ts';
import type { PicturesStarter } from './contract.ts';
import { MULTIPART_TYPE, MultipartWriter, pictureUnit, ResponseTransport } from './multipart.ts';
import { Snapshots } from './snapshots.ts';
import { wantedFps, wantedWidth } from './wish.ts';

/** Different moving pictures of one stream at a time: each costs an encoder. */
const MAX_SEQUENCES = 8;

interface Target {
  readonly stream: string;
  readonly query: URLSearchParams;
}

/** The doors for pictures: `/<stream>/snapshot.jpg`, and `/<stream>/mjpeg` for what shows nothing better. */
export class PicturesServer {
  readonly #hub: Hub;
  readonly #access: Access;
  readonly #start: PicturesStarter;
  readonly #snapshots: Snapshots;
  readonly #fault: (error: unknown) => void;
  #nextId = 1;
  #closed = false;

  /** @param options.onFault told of faults that are ours */
  constructor(options: {
    hub: Hub;
    access: Access;
    startPictures: PicturesStarter;
    onFault: (error: unknown) => void;
  }) {
    this.#hub = options.hub;
    this.#access = options.access;
    this.#start = options.startPictures;
    this.#snapshots = new Snapshots(options.startPictures, options.hub.options.clock);
    this.#fault = options.onFault;
  }

  /** One picture, that of the latest keyframe. */
  readonly snapshot = (request: IncomingMessage, response: ServerResponse, target: Target): void => {
    void this.#answer(request, response, async (signal) => {
      const width = wantedWidth(target.query);
      const stream = await this.#enter(request, target, signal);
      const picture = await this.#snapshots.get(stream, width);
      response.writeHead(200, {
        'Content-Type': 'image/jpeg',
        'Content-Length': picture.jpeg.length,
        'Cache-Control': 'no-store',
        'Last-Modified': new Date(picture.ntp).toUTCString(),
        ...timeHeaders(picture),
      });
      response.end(request.method === 'HEAD' ? undefined : picture.jpeg);
    });
  };

  /** Pictures as long as somebody looks. */
  readonly mjpeg = (request: IncomingMessage, response: ServerResponse, target: Target): void => {
    void this.#answer(request, response, async (signal) => {
      const width = wantedWidth(target.query);
      const fps = wantedFps(target.query);
      const stream = await this.#enter(request, target, signal);
      if (signal.aborted) return;
      const feed = request.method === 'HEAD' ? undefined : this.#sequence(stream, width, fps);
      // Until the connection ends, and not in HTTP's chunks: one write a picture, of bytes that all viewers share.
      response.removeHeader('Transfer-Encoding');
      response.writeHead(200, {
        'Content-Type': MULTIPART_TYPE,
        'Cache-Control': 'no-store',
        Connection: 'close',
      });
      if (!feed) return void response.end();
      response.flushHeaders();
      const { clock, readerLimits } = this.#hub.options;
      const reader = new Reader({
        id: `mjpeg-${this.#nextId++}`,
        door: 'mjpeg',
        remote: `${request.socket.remoteAddress}:${request.socket.remotePort}`,
        transport: new ResponseTransport(response),
        clock,
        // Nothing but the latest picture waits for a viewer that is slow.
        limits: { ...readerLimits, queueMs: 0 },
        onClose: () => feed.detach(reader),
      });
      feed.attach(reader);
      response.on('close', () => reader.close('The viewer left.'));
    });
  };

  /** Whoever waits for a picture is refused; viewers are the readers of their streams and leave with them. */
  close(): void {
    this.#closed = true;
    this.#snapshots.close('the server stops.');
  }

  /** @throws NamedError of access, STREAM_NOT_FOUND, SOURCE_NOT_READY */
  async #enter(request: IncomingMessage, { stream, query }: Target, signal: AbortSignal): Promise<Stream> {
    const { onRevoked } = await this.#access.check({
      action: 'read',
      stream,
      door: 'snapshot',
      remote: request.socket.remoteAddress ?? '',
      credentials: credentialsOf(request.headers, query),
    });
    const leave = signal.aborted ? undefined : onRevoked?.(() => request.socket.destroy());
    if (leave) signal.addEventListener('abort', leave, { once: true });
    return this.#hub.wanted(stream, signal);
  }

  /** The moving pictures of that size and rate, begun with their first viewer. */
  #sequence(stream: Stream, width: number | undefined, fps: number): Feed {
    const key = `mjpeg:${width ?? 'full'}:${fps}`;
    const sequences = stream.feeds.filter((feed) => feed.key.startsWith('mjpeg:'));
    if (sequences.length >= MAX_SEQUENCES && !sequences.some((feed) => feed.key === key)) {
      throw new NamedError(
        'PICTURES_BUSY',
        `"${stream.name}" is watched as moving JPEG in ${MAX_SEQUENCES} sizes and rates, and more are not made at a time. Take a width and fps that somebody has already.`,
        503,
      );
    }
    return stream.feed(key, [], () => {
      const stop = this.#start(
        { stream: stream.name, fps, ...(width === undefined ? {} : { width }) },
        {
          picture: (picture) => feed()?.write(pictureUnit(picture)),
          trouble: (reason, { retried }) => {
            if (!retried) feed()?.close(reason);
          },
        },
      );
      return new MultipartWriter(stop);
    });
    function feed(): Feed | undefined {
      return stream.feeds.find((one) => one.key === key);
    }
  }

  async #answer(
    request: IncomingMessage,
    response: ServerResponse,
    act: (signal: AbortSignal) => Promise<void>,
  ): Promise<void> {
    const gone = new AbortController();
    response.on('close', () => gone.abort());
    try {
      if (request.method !== 'GET' && request.method !== 'HEAD') {
        response.setHeader('Allow', 'GET, HEAD');
        throw new NamedError(
          'METHOD_NOT_ALLOWED',
          `Pictures are for GET; ${request.method} does nothing here.`,
          405,
        );
      }
      if (this.#closed)
        throw new NamedError('PICTURES_FAILED', 'There are no pictures: the server stops.', 503);
      await act(gone.signal);
    } catch (error) {
      if (!gone.signal.aborted) this.#refuse(request, response, error);
    }
  }

  #refuse(request: IncomingMessage, response: ServerResponse, error: unknown): void {
    const known = error instanceof NamedError;
    if (!known) this.#fault(error);
    const { code, status } = known ? error : { code: 'INTERNAL_ERROR', status: 500 };
    const message = known ? messageOf(error) : 'A bug in Sluice; the log has more.';
    if (response.headersSent) return void response.destroy();
    response.writeHead(status, {
      ...refusalHeaders(error, request.headers),
      'Content-Type': 'application/json; charset=utf-8',
      'Cache-Control': 'no-store',
    });
    response.end(JSON.stringify({ error: { code, message } }));
  }
}
