import type { z } from 'zod';
import type { RunInfo } from '#cameras/runs.ts';
import type { Reader } from '#hub/reader.ts';
import type { Stream } from '#hub/stream.ts';
import type { Track } from '#media/track.ts';
import type { LocalText, WorkerInfo } from './dependencies.ts';
import type * as schemas from './schemas.ts';

/** Milliseconds since 1970 as RFC 3339 text. */
export function timeText(ms: number): string {
  return new Date(ms).toISOString();
}

/** A stream as the API shows it. */
export function streamView(stream: Stream): z.output<typeof schemas.stream> {
  const { publisher, held } = stream;
  return {
    name: stream.name,
    state: stream.state,
    since: timeText(stream.since),
    ...(held ? { held: { since: timeText(held.since), seconds: held.ms / 1000 } } : {}),
    ...(publisher ? { publisher: { ...publisher, since: timeText(publisher.since) } } : {}),
    tracks: stream.tracks.map(trackView),
    received: { ...stream.counters },
    readers: stream.feeds.flatMap((feed) => [...feed.readers].map(readerView)),
  };
}

function trackView({ id, clockRate, format }: Track): z.output<typeof schemas.stream>['tracks'][number] {
  const common = { id, kind: format.kind, codec: format.codec, clockRate };
  if (format.kind === 'data') return common;
  const named = format.codecString === '' ? common : { ...common, codecString: format.codecString };
  if (format.kind === 'audio') return { ...named, sampleRate: format.sampleRate, channels: format.channels };
  // A publisher may have said nothing about its picture yet.
  return format.width > 0 ? { ...named, width: format.width, height: format.height } : named;
}

function readerView(reader: Reader): z.output<typeof schemas.stream>['readers'][number] {
  const { units, bytes, droppedVideo, droppedAudio, skips } = reader.counters;
  return {
    id: reader.id,
    door: reader.door,
    remote: reader.remote,
    since: timeText(reader.since),
    sent: { units, bytes },
    dropped: { video: droppedVideo, audio: droppedAudio, skips },
    queuedBytes: reader.queuedBytes,
  };
}

/** A worker as the API shows it. */
export function workerView({ since, tasks, ...worker }: WorkerInfo): z.output<typeof schemas.worker> {
  return { ...worker, since: timeText(since), tasks: [...tasks] };
}

/** A run as the API shows it, with the title of its algorithm. */
export function runView(run: RunInfo, title: LocalText): z.output<typeof schemas.run> {
  const { lastResult, leases, ...rest } = run;
  return {
    ...rest,
    title,
    parameters: { ...run.parameters },
    since: timeText(run.since),
    leases: leases.map((lease) => ({ ...lease, since: timeText(lease.since) })),
    ...(lastResult
      ? { lastResult: { pts: lastResult.pts, time: timeText(lastResult.ntp), objects: lastResult.objects } }
      : {}),
  };
}
