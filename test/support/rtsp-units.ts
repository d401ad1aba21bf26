import { Hub } from '#hub/hub.ts';
import type { AccessUnit } from '#media/access-unit.ts';
import { RtspSource } from '#sources/rtsp/source.ts';
import { fakeReader } from './readers.ts';
import { eventually } from './sluice.ts';

export interface UnitReader extends AsyncDisposable {
  /** All that came so far, with the capture times that the server's sender reports give them. */
  readonly units: readonly AccessUnit[];
  of(kind: 'video' | 'audio'): AccessUnit[];
  /** How often it had to connect. */
  readonly connections: number;
}

/** Reads a stream over RTSP by our own client, from its first unit on. */
export async function readUnits(url: string): Promise<UnitReader> {
  const hub = new Hub();
  const units: AccessUnit[] = [];
  let connections = 0;
  hub.events.on('streamAdded', (stream) => {
    connections++;
    const ids = stream.tracks.map(({ id }) => id);
    stream.feed('raw', ids, () => ({ write: (unit) => void units.push(unit) })).attach(fakeReader().reader);
  });
  const source = new RtspSource({ hub, stream: 'read', url, transport: 'tcp', onState: () => {} });
  const reader = {
    units,
    of: (kind: 'video' | 'audio') => units.filter(({ track }) => track.format.kind === kind),
    get connections() {
      return connections;
    },
    async [Symbol.asyncDispose]() {
      await source.stop();
      hub.close('The test is over.');
    },
  };
  await eventually(() => units.length > 0);
  return reader;
}
