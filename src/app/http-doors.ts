import type { IncomingMessage, ServerResponse } from 'node:http';
import type { FastifyInstance } from 'fastify';
import { parseStreamName } from '#hub/name.ts';

/** Answers one request for a stream. It owns the response from then on. */
export type HttpDoor = (
  request: IncomingMessage,
  response: ServerResponse,
  /** The stream's name, and what stands behind the door's own name in the path: `hls/<rest>`; else empty. */
  target: { readonly stream: string; readonly rest: string; readonly query: URLSearchParams },
) => void;

export interface HttpDoors {
  /** `/<stream>/<name>`: `index.m3u8`, `live.flv`, `whip` … */
  readonly files: Readonly<Record<string, HttpDoor>>;
  /** `/<stream>/<name>/<rest>`, where `rest` is one segment: `hls/part7.m4s`, `whep/<session>`. */
  readonly folders: Readonly<Record<string, HttpDoor>>;
}

/**
 * Sends requests for `/<stream>/<door>` to their door, past the routes of the API: media are written to the bare
 * response. Requests come here after the checks that hold for all (`Host`, `Origin`). A path that is no door goes on to
 * the API and the page; so does one whose stream cannot have that name.
 */
export function routeDoors(app: FastifyInstance, doors: HttpDoors): void {
  app.addHook('onRequest', async (request, reply) => {
    const found = findDoor(request.url, doors);
    if (!found) return;
    reply.hijack();
    found.door(request.raw, reply.raw, found.target);
  });
}

/** The door of an address, and what it is asked for. */
export function findDoor(
  url: string,
  doors: HttpDoors,
): { door: HttpDoor; target: Parameters<HttpDoor>[2] } | undefined {
  const mark = url.indexOf('?');
  const path = mark < 0 ? url : url.slice(0, mark);
  const segments = path.split('/');
  const last = segments.at(-1) ?? '';
  const folder = segments.at(-2) ?? '';
  const file = Object.hasOwn(doors.files, last) ? doors.files[last] : undefined;
  const door = file ?? (Object.hasOwn(doors.folders, folder) ? doors.folders[folder] : undefined);
  if (!door) return undefined;
  try {
    const name = decodeURIComponent(segments.slice(1, file ? -1 : -2).join('/'));
    const stream = parseStreamName(name);
    // Slashes around a name are forgiven elsewhere; here each address would have others that mean the same.
    if (stream !== name) return undefined;
    const query = new URLSearchParams(mark < 0 ? '' : url.slice(mark + 1));
    return { door, target: { stream, rest: file ? '' : decodeURIComponent(last), query } };
  } catch {
    return undefined;
  }
}
