import { resolve } from 'node:path';
import { deviceTrouble, parseDevice } from '#config/device-address.ts';
import { sourceKind } from '#config/source.ts';
import { Hub } from '#hub/hub.ts';
import type { Stream } from '#hub/stream.ts';
import type { ProbeReport, TaskSpec } from '#link/messages.ts';
import { trackFromMedia } from '#protocols/sdp/tracks.ts';
import type { SourceTask } from '#sources/contract.ts';
import { describeTrack, measure } from '#sources/measure.ts';
import { RtmpSource } from '#sources/rtmp/source.ts';
import { describeRtsp } from '#sources/rtsp/describe.ts';
import { RtspSource } from '#sources/rtsp/source.ts';
import { WhepSource } from '#sources/whep/source.ts';
import { maskAddress } from '#util/mask-address.ts';
import { NamedError } from '#util/named-error.ts';
import type { ServerTrust } from '#util/server-trust.ts';
import { withEngine } from './engine.ts';
import { createLogger } from './logger.ts';
import type { WorkerRoom } from './worker-room.ts';

export type { ProbeReport } from '#link/messages.ts';

const DESCRIBE_MS = 10_000;
/** So long the first picture or sound may take. */
const MEDIA_MS = 20_000;
const STREAM = 'probe';
/** What goes wrong is what the probe says. */
const QUIET = createLogger({ level: 'error', format: 'auto' });

/**
 * Says what is in an input. A live address is opened as a source would be, RTSP, RTMP and WHEP by our own protocol code
 * and the rest by FFmpeg in a worker of its own, and looked at for some seconds; a file is read by FFmpeg.
 * @param trust how the certificate of a server behind TLS is judged
 * @throws NamedError with a sentence for whatever cannot be opened
 */
export async function probe(address: string, trust: ServerTrust = {}): Promise<ProbeReport> {
  switch (sourceKind(address)) {
    case 'rtsp':
      return probeRtsp(address, trust);
    case 'rtmp': {
      const hub = new Hub();
      return live(
        address,
        hub,
        (onState) => new RtmpSource({ hub, stream: STREAM, url: address, trust, onState }),
      );
    }
    case 'whep': {
      const hub = new Hub();
      return live(
        address,
        hub,
        (onState) => new WhepSource({ hub, stream: STREAM, url: address, trust, onState }),
      );
    }
    case 'network':
      return probeInWorker(address, { kind: 'network-source', stream: STREAM, url: address, trust });
    case 'device': {
      const device = parseDevice(address);
      if (!device) throw new NamedError('ADDRESS_UNSUPPORTED', `"${address}" ${deviceTrouble(address)}.`);
      return probeInWorker(address, { kind: 'device-source', stream: STREAM, device, address });
    }
    case 'path':
    case 'test':
      return withEngine(QUIET, ({ workers }) => probeFile(resolve(address), workers));
    default: {
      const scheme = /^[a-z][a-z0-9+.-]*/i.exec(address)?.[0];
      throw new NamedError(
        'ADDRESS_UNSUPPORTED',
        `Sluice cannot probe ${scheme}:// addresses. Give an address that can be a source, such as rtsp:// or http://, or the path of a file.`,
      );
    }
  }
}

/** Looks at what a source in a worker brings. */
function probeInWorker(address: string, spec: TaskSpec): Promise<ProbeReport> {
  return withEngine(QUIET, ({ hub, workers }) =>
    live(address, hub, (onState) =>
      workers.pool.start({ role: 'source', affinity: STREAM, restart: false, spec, onState }),
    ),
  );
}

/** All tracks that the server describes, and how those are that a source would take. */
async function probeRtsp(address: string, trust: ServerTrust): Promise<ProbeReport> {
  const { medias } = await describeRtsp(address, { timeoutMs: DESCRIBE_MS, trust });
  const described = medias.map((media, index) => {
    const track = trackFromMedia(media, index);
    return 'unsupported' in track
      ? { kind: 'data' as const, codec: media.encodingName.toLowerCase() }
      : describeTrack(track);
  });
  if (described.every(({ kind }) => kind === 'data')) return { container: 'rtsp', tracks: described };
  const hub = new Hub();
  const { tracks } = await live(
    address,
    hub,
    (onState) => new RtspSource({ hub, stream: STREAM, url: address, trust, onState }),
  );
  const measured = [...tracks];
  return {
    container: 'rtsp',
    tracks: described.map((one) => {
      const index = measured.findIndex(({ kind, codec }) => kind === one.kind && codec === one.codec);
      return index < 0 ? one : { ...one, ...measured.splice(index, 1)[0] };
    }),
  };
}

/** Has a source bring its stream to `hub`, and looks at it. */
async function live(
  address: string,
  hub: Hub,
  start: (onState: (status: SourceTask['status']) => void) => SourceTask,
): Promise<ProbeReport> {
  const arrived = Promise.withResolvers<Stream>();
  hub.events.on('streamAdded', (stream) => arrived.resolve(stream));
  const look = ({ state, trouble, reason = 'The source ended.', code }: SourceTask['status']) => {
    if (state === 'starting' || state === 'running') return;
    arrived.reject(new NamedError(code ?? 'PROBE_FAILED', trouble ?? reason, 422));
  };
  const timer = setTimeout(() => {
    const sentence = `Nothing came from ${maskAddress(address)} within ${MEDIA_MS / 1000} s. Check that it sends, and that the network lets it through.`;
    arrived.reject(new NamedError('INPUT_TIMEOUT', sentence, 504));
  }, MEDIA_MS);
  const source = start(look);
  look(source.status);
  try {
    const stream = await arrived.promise;
    clearTimeout(timer);
    return { container: address.slice(0, address.indexOf(':')).toLowerCase(), tracks: await measure(stream) };
  } finally {
    clearTimeout(timer);
    await source.stop();
    hub.close('The probe is over.');
  }
}

function probeFile(path: string, workers: WorkerRoom): Promise<ProbeReport> {
  return new Promise((done, fail) => {
    workers.pool.start({
      role: 'pipeline',
      affinity: 'probe',
      restart: false,
      spec: { kind: 'probe', input: path },
      onState: ({ state, reason, code, report }) => {
        if (state === 'done') done(report as ProbeReport);
        if (state === 'failed' || state === 'stopped') {
          fail(new NamedError(code ?? 'PROBE_FAILED', reason ?? 'The probe was stopped.', 422));
        }
      },
    });
  });
}
