import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { resolve } from 'node:path';
import { Hub } from '#hub/hub.ts';
import type { ProbeReport } from '#link/messages.ts';
import type { Track } from '#media/track.ts';
import type { SessionDescription } from '#protocols/sdp/sdp.ts';
import { trackFromMedia } from '#protocols/sdp/tracks.ts';
import { describeRtsp } from '#sources/rtsp/describe.ts';
import { NamedError } from '#util/named-error.ts';
import { createLogger } from './logger.ts';
import { createWorkerRoom } from './worker-room.ts';

export type { ProbeReport } from '#link/messages.ts';

const RTSP_TIMEOUT_MS = 10_000;

/**
 * Says what is in an input: an `rtsp://` address is asked with our own protocol code, a file is opened by FFmpeg in a
 * worker of its own.
 * @throws NamedError with a sentence for whatever cannot be opened
 */
export async function probe(address: string): Promise<ProbeReport> {
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(address)?.[1]?.toLowerCase();
  if (scheme === 'rtsp' || scheme === 'rtsps') {
    return fromDescription(await describeRtsp(address, { timeoutMs: RTSP_TIMEOUT_MS }));
  }
  if (scheme !== undefined) {
    throw new NamedError(
      'ADDRESS_UNSUPPORTED',
      `Sluice cannot probe ${scheme}:// addresses yet. Give an rtsp:// address or the path of a file.`,
    );
  }
  return probeFile(resolve(address));
}

async function probeFile(path: string): Promise<ProbeReport> {
  const log = createLogger({ level: 'error', format: 'auto' });
  const http = createServer();
  const linkUrl = () => `ws://127.0.0.1:${(http.address() as AddressInfo).port}/api/link`;
  const workers = createWorkerRoom({
    hub: new Hub(),
    linkUrl,
    limits: { max: 'auto', memoryMb: 1024, hostMemoryMb: 1024 },
    log,
  });
  http.on('upgrade', (request, socket, head) => workers.link.handleUpgrade(request, socket, head));
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  try {
    return await new Promise<ProbeReport>((done, fail) => {
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
  } finally {
    await workers[Symbol.asyncDispose]();
    http.close();
    http.closeAllConnections();
  }
}

function fromDescription(description: SessionDescription): ProbeReport {
  const tracks = description.medias.map((media, index) => {
    const track = trackFromMedia(media, index);
    return 'unsupported' in track
      ? { kind: 'data' as const, codec: media.encodingName.toLowerCase() }
      : describeTrack(track);
  });
  return { container: 'rtsp', tracks };
}

function describeTrack({ format }: Track): ProbeReport['tracks'][number] {
  switch (format.kind) {
    case 'video': {
      const { kind, codec, codecString, width, height } = format;
      return { kind, codec, codecString, ...(width > 0 ? { width, height } : {}) };
    }
    case 'audio': {
      const { kind, codec, codecString, sampleRate, channels } = format;
      return { kind, codec, codecString, sampleRate, channels };
    }
    case 'data':
      return { kind: 'data', codec: format.codec };
  }
}
