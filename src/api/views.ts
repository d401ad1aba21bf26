import type { z } from 'zod';
import type { RunInfo } from '#cameras/runs.ts';
import type { Reader } from '#hub/reader.ts';
import type { Stream } from '#hub/stream.ts';
import type { Track } from '#media/track.ts';
import type { ApiDependencies, SourceInfo, WorkerInfo } from './dependencies.ts';
import type * as schemas from './schemas.ts';

type StreamView = z.output<typeof schemas.stream>;

/** Milliseconds since 1970 as RFC 3339 text. */
export function timeText(ms: number): string {
  return new Date(ms).toISOString();
}

/** All streams, those that are not there because their source is not among them, by name. */
export function streamViews({ hub, sources }: Pick<ApiDependencies, 'hub' | 'sources'>): StreamView[] {
  const bySource = new Map(sources().map((source) => [source.stream, source]));
  const live = hub.streams.map((stream) => streamView(stream, bySource.get(stream.name)));
  const absent = [...bySource.values()].filter(({ stream }) => !hub.get(stream)).map(absentView);
  return [...live, ...absent].sort((a, b) => a.name.localeCompare(b.name));
}

/** States of a source that its stream has as well while it is not there. */
const absentStates = ['failed', 'waiting', 'idle'] as const;

/** A stream that is not there, because its source is not. */
function absentView(source: SourceInfo): StreamView {
  return {
    name: source.stream,
    state: absentStates.find((state) => state === source.state) ?? 'starting',
    since: timeText(source.since),
    source: sourceView(source),
    tracks: [],
    received: { units: 0, bytes: 0, discarded: 0 },
    readers: [],
  };
}

function sourceView({ address, state, reason, code }: SourceInfo): NonNullable<StreamView['source']> {
  return {
    address,
    state,
    ...(reason === undefined ? {} : { reason }),
    ...(code === undefined ? {} : { code }),
  };
}

/** A stream as the API shows it. */
function streamView(stream: Stream, source: SourceInfo | undefined): StreamView {
  const { publisher, held } = stream;
  return {
    name: stream.name,
    state: stream.state,
    since: timeText(stream.since),
    ...(source ? { source: sourceView(source) } : {}),
    ...(held ? { held: { since: timeText(held.since), seconds: held.ms / 1000 } } : {}),
    ...(publisher ? { publisher: { ...publisher, since: timeText(publisher.since) } } : {}),
    tracks: trackViews(stream),
    received: { ...stream.counters },
    readers: stream.feeds.flatMap((feed) => [...feed.readers].map(readerView)),
  };
}

function trackViews({ tracks, clocks }: Stream): StreamView['tracks'] {
  return tracks.map((track) => {
    const clock = clocks?.find((one) => one.track === track.id);
    if (!clock) return trackView(track);
    const { source, skewPpm, lagMs } = clock;
    const rounded = { skewPpm: Math.round(skewPpm), lagMs: Math.round(lagMs * 10) / 10 };
    return { ...trackView(track), clock: { source, ...rounded } };
  });
}

function trackView({ id, clockRate, format }: Track): StreamView['tracks'][number] {
  const common = { id, kind: format.kind, codec: format.codec, clockRate };
  if (format.kind === 'data') return common;
  const named = format.codecString === '' ? common : { ...common, codecString: format.codecString };
  if (format.kind === 'audio') return { ...named, sampleRate: format.sampleRate, channels: format.channels };
  // A publisher may have said nothing about its picture yet.
  return format.width > 0 ? { ...named, width: format.width, height: format.height } : named;
}

function readerView(reader: Reader): StreamView['readers'][number] {
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

/** A run as the API shows it. */
export function runView(run: RunInfo): z.output<typeof schemas.run> {
  const { lastResult, leases, ...rest } = run;
  return {
    ...rest,
    parameters: { ...run.parameters },
    since: timeText(run.since),
    leases: leases.map((lease) => ({ ...lease, since: timeText(lease.since) })),
    ...(lastResult
      ? { lastResult: { pts: lastResult.pts, time: timeText(lastResult.ntp), objects: lastResult.objects } }
      : {}),
  };
}
