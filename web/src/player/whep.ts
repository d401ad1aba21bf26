import { DoorRefusal } from './door-refusal.ts';
import type { TrackInfo } from './protocol.ts';

/** Names of RTP encodings in the words of the API. */
const encodings: Readonly<Record<string, string>> = {
  h264: 'h264',
  h265: 'h265',
  av1: 'av1',
  vp8: 'vp8',
  vp9: 'vp9',
  opus: 'opus',
  pcma: 'pcma',
  pcmu: 'pcmu',
};

/** A session of one viewer at the WebRTC door. */
export interface WhepSession {
  /** The server's answer, SDP. */
  readonly answer: string;
  /** Tells the server that the viewer leaves; nothing needs to be waited for. */
  leave(): void;
}

/**
 * Begins a session (WHEP, draft-ietf-wish-whep).
 * @param offer SDP
 * @throws DoorRefusal; TypeError where the server does not answer
 */
export async function beginWhep(address: string, offer: string, signal: AbortSignal): Promise<WhepSession> {
  const headers = { 'content-type': 'application/sdp' };
  const response = await fetch(address, { method: 'POST', headers, body: offer, signal });
  if (response.status !== 201) throw await DoorRefusal.of(response);
  const session = response.headers.get('location');
  const leave = (): void => {
    // The page may be closing: the request outlives it.
    if (session !== null)
      fetch(new URL(session, address), { method: 'DELETE', keepalive: true }).catch(() => undefined);
  };
  try {
    return { answer: await response.text(), leave };
  } catch (error) {
    leave();
    throw error;
  }
}

/** The tracks that an answer says will come: one for each media section that was not refused. */
export function answeredTracks(answer: string): TrackInfo[] {
  return answer.split(/\r?\n(?=m=)/).flatMap((section, id): TrackInfo[] => {
    const [, kind, port] = /^m=(\w+) (\d+)/.exec(section) ?? [];
    if ((kind !== 'video' && kind !== 'audio') || port === '0' || /^a=inactive/m.test(section)) return [];
    const name = /^a=rtpmap:\d+ ([^/\s]+)/m.exec(section)?.[1]?.toLowerCase() ?? '';
    return [{ id, kind, codec: encodings[name] ?? name, codecString: '' }];
  });
}
