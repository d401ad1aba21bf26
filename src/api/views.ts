import type { z } from 'zod';
import type { RunInfo } from '#cameras/contract.ts';
import { isJobStream } from '#hub/name.ts';
import type { Reader } from '#hub/reader.ts';
import type { Stream, TrackClockState, TrackReception } from '#hub/stream.ts';
import { isVideo, type Track } from '#media/track.ts';
import type {
  ApiDependencies,
  ForwardInfo,
  HookInfo,
  SourceInfo,
  SourcePartInfo,
  WorkerInfo,
} from './dependencies.ts';
import type * as schemas from './schemas.ts';

type StreamView = z.output<typeof schemas.stream>;
type TrackView = StreamView['tracks'][number];
type Losses = NonNullable<TrackView['losses']>;

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

/** @param filled kinds of media that come from the second source now */
function sourceView(
  source: SourceInfo,
  filled: readonly TrackView['kind'][] = [],
): NonNullable<StreamView['source']> {
  const { fill, standby } = source;
  return {
    ...partView(source),
    ...(fill ? { fill: { ...partView(fill), brings: [...filled] } } : {}),
    ...(standby ? { standby: partView(standby) } : {}),
  };
}

function partView({ address, state, reason, code }: SourcePartInfo) {
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
  const filled = stream.tracks.flatMap(({ id, format }) => (stream.filled.includes(id) ? format.kind : []));
  return {
    name: stream.name,
    ...jobOf(stream.name),
    state: stream.state,
    since: timeText(stream.since),
    ...(source ? { source: sourceView(source, filled) } : {}),
    ...(held ? { held: { since: timeText(held.since), seconds: held.ms / 1000 } } : {}),
    ...(publisher
      ? { publisher: { ...publisher, since: timeText(publisher.since), ...lossesOf(stream.reception) } }
      : {}),
    ...(stream.tracks.some(isVideo) ? { snapshot: `/${stream.name}/snapshot.jpg` } : {}),
    tracks: trackViews(stream),
    received: { ...stream.counters },
    readers: stream.feeds.flatMap((feed) => [...feed.readers].map(readerView)),
  };
}

/** The job that a stream is of. */
function jobOf(name: string): { readonly job?: string } {
  const [, job] = name.split('/');
  return isJobStream(name) && job !== undefined ? { job } : {};
}

/** What was lost on the way from the publisher, of several tracks together; undefined where that is not known. */
function lossesOf(tracks: readonly TrackReception[] | undefined): Losses | undefined {
  if (!tracks || tracks.length === 0) return undefined;
  const sum = (key: keyof Losses) => tracks.reduce((total, track) => total + track[key], 0);
  return {
    packets: sum('packets'),
    lost: sum('lost'),
    late: sum('late'),
    duplicate: sum('duplicate'),
    concealed: sum('concealed'),
  };
}

function trackViews({ tracks, clocks, reception }: Stream): StreamView['tracks'] {
  return tracks.map((track) => {
    const clock = clocks?.find((one) => one.track === track.id);
    const losses = lossesOf(reception?.filter((one) => one.track === track.id));
    return {
      ...trackView(track),
      ...(clock ? { clock: clockView(clock) } : {}),
      ...(losses ? { losses } : {}),
    };
  });
}

function clockView({ source, skewPpm, lagMs }: TrackClockState): TrackView['clock'] {
  return { source, skewPpm: Math.round(skewPpm), lagMs: Math.round(lagMs * 10) / 10 };
}

function trackView({ id, clockRate, format }: Track): TrackView {
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
    ...(reader.lost === undefined ? {} : { lost: reader.lost }),
  };
}

/** A worker as the API shows it. */
export function workerView({ since, tasks, ...worker }: WorkerInfo): z.output<typeof schemas.worker> {
  return { ...worker, since: timeText(since), tasks: [...tasks] };
}

/** A forward as the API shows it. */
export function forwardView(forward: ForwardInfo): z.output<typeof schemas.forward> {
  const { stream, url, state, reason, code, since, bytesSent } = forward;
  return {
    ...{ stream, url, state, since: timeText(since), bytesSent },
    ...(reason === undefined ? {} : { reason }),
    ...(code === undefined ? {} : { code }),
  };
}

/** A hook as the API shows it. */
export function hookView({ counters, last, running, on, ...hook }: HookInfo): z.output<typeof schemas.hook> {
  return {
    ...hook,
    ...counters,
    ...(on ? { on: [...on] } : {}),
    ...(last
      ? {
          last: {
            ...{ id: last.event.id, type: last.event.type, stream: last.event.stream },
            ...{ time: timeText(last.at), attempts: last.attempts, ok: last.outcome.ok },
            ...(last.outcome.status === undefined ? {} : { status: last.outcome.status }),
            ...(last.outcome.message === undefined ? {} : { message: last.outcome.message }),
          },
        }
      : {}),
    running: running.map((one) => ({ ...one, since: timeText(one.since) })),
  };
}

/** A run as the API shows it. */
/** @param burnedIn name of the stream with its results drawn in, where there may be one */
export function runView(run: RunInfo, burnedIn: string | undefined): z.output<typeof schemas.run> {
  const { lastResult, leases, ...rest } = run;
  return {
    ...rest,
    parameters: { ...run.parameters },
    since: timeText(run.since),
    ...(burnedIn === undefined ? {} : { burnedIn }),
    leases: leases.map((lease) => ({ ...lease, since: timeText(lease.since) })),
    ...(lastResult
      ? { lastResult: { pts: lastResult.pts, time: timeText(lastResult.ntp), objects: lastResult.objects } }
      : {}),
  };
}
