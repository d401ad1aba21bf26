import type { Result } from '#algorithms/contract.ts';
import type { ResultsMessage as Told } from '#api/results-protocol.ts';

/**
 * What the server and the page say to each other over `/<stream>/mse` and `/<stream>/results`: JSON text messages, and
 * on the former binary ones that are appended to the SourceBuffer as they are.
 */

export type { ViewerRun as RunInfo } from '#api/results-protocol.ts';
export type {
  ServerMessage as MseMessage,
  StreamMessage,
  TrackInfo,
  UnsupportedTrack,
  WaitsFor,
} from '#servers/mse/protocol.ts';

/** Close code of a WebSocket whose stream does not exist (any more). */
export const STREAM_GONE = 4404;

export type ResultsMessage = Told<Result>;

/** Parses a text message; undefined for what is no object with a `type`. */
export function parseMessage<M extends { readonly type: string }>(text: string): M | undefined {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && 'type' in value && typeof value.type === 'string') {
      return value as M;
    }
  } catch {
    // Falls through: what is not JSON is not for us.
  }
  return undefined;
}

/** Address of one of a stream's WebSocket doors on the host that served the page. */
export function doorUrl(
  location: { protocol: string; host: string },
  stream: string,
  door: 'mse' | 'results',
): string {
  const scheme = location.protocol === 'https:' ? 'wss:' : 'ws:';
  const path = stream.split('/').map(encodeURIComponent).join('/');
  return `${scheme}//${location.host}/${path}/${door}`;
}
