import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import type { Reader } from '#hub/reader.ts';
import type { Stream } from '#hub/stream.ts';
import { systemClock } from '#util/clock.ts';
import type { ApiDependencies } from './dependencies.ts';

interface ReaderTotals {
  bytes: number;
  video: number;
  audio: number;
  skips: number;
  lost: number;
}

/**
 * How often the lag of the event loop is looked at. Every look wakes the process: at prom-client's 10 ms that was a
 * seventh of what a camera costs the server.
 */
const EVENT_LOOP_SAMPLE_MS = 500;

const NONE: ReaderTotals = { bytes: 0, video: 0, audio: 0, skips: 0, lost: 0 };

/**
 * `/metrics` for Prometheus. Everything is read from the objects that count when somebody asks, so nothing is counted
 * twice, and what belongs to a stream or a run goes with it.
 */
export class Metrics {
  readonly #registry = new Registry();
  readonly #deps: Pick<ApiDependencies, 'hub' | 'runs' | 'workers' | 'forwards' | 'jobs'>;
  /** Of each stream what its readers had in all, by door: readers come and go, a counter may not go back. */
  readonly #totals = new WeakMap<Stream, Map<string, ReaderTotals>>();
  readonly #counted = new WeakMap<Reader, ReaderTotals>();

  readonly #streams = this.#gauge('sluice_streams', 'Streams by state.', ['state']);
  readonly #unitsReceived = this.#counter(
    'sluice_stream_access_units_received_total',
    'Access units that publishers sent.',
    ['stream'],
  );
  readonly #bytesReceived = this.#counter(
    'sluice_stream_bytes_received_total',
    'Bytes that publishers sent.',
    ['stream'],
  );
  readonly #discarded = this.#counter(
    'sluice_stream_access_units_discarded_total',
    'Access units refused because their time did not go forward.',
    ['stream'],
  );
  readonly #packetsLost = this.#counter(
    'sluice_publisher_packets_lost_total',
    'RTP packets of the publisher that never came, or too late.',
    ['stream', 'track'],
  );
  readonly #packetsLate = this.#counter(
    'sluice_publisher_packets_late_total',
    'RTP packets of the publisher that came too late.',
    ['stream', 'track'],
  );
  readonly #packetsTwice = this.#counter(
    'sluice_publisher_packets_duplicate_total',
    'RTP packets of the publisher that came twice.',
    ['stream', 'track'],
  );
  readonly #concealed = this.#counter(
    'sluice_publisher_pictures_concealed_total',
    'Pictures left out between a lost packet and the next keyframe.',
    ['stream', 'track'],
  );
  readonly #readerLost = this.#counter(
    'sluice_reader_packets_lost_total',
    'RTP packets that readers say were lost on the way to them.',
    ['stream', 'door'],
  );
  readonly #readers = this.#gauge('sluice_readers', 'Readers by stream and door.', ['stream', 'door']);
  readonly #feeds = this.#gauge('sluice_feeds', 'Wire formats in which a stream is being written.', [
    'stream',
  ]);
  readonly #bytesSent = this.#counter('sluice_reader_bytes_sent_total', 'Bytes that readers got.', [
    'stream',
    'door',
  ]);
  readonly #dropped = this.#counter(
    'sluice_reader_dropped_access_units_total',
    'Access units that readers lost because they were too slow.',
    ['stream', 'door', 'kind'],
  );
  readonly #skips = this.#counter(
    'sluice_reader_skips_total',
    'Times that a reader lost pictures up to the next keyframe.',
    ['stream', 'door'],
  );
  readonly #runs = this.#gauge('sluice_runs', 'Runs by state.', ['state']);
  readonly #runFrames = this.#counter(
    'sluice_run_frames_total',
    'Pictures of the stream, by what became of them in the run.',
    ['run', 'stream', 'algorithm', 'outcome'],
  );
  readonly #runDecoded = this.#counter(
    'sluice_run_decoded_pictures_total',
    'Pictures decoded for the stream of the run since its decoder started.',
    ['run', 'stream', 'algorithm'],
  );
  readonly #runExpired = this.#counter(
    'sluice_run_results_expired_total',
    'Results dropped because they came too late.',
    ['run', 'stream', 'algorithm'],
  );
  readonly #runAge = this.#gauge(
    'sluice_run_result_age_seconds',
    'Age of results when they left the worker, of the last 200.',
    ['run', 'stream', 'algorithm', 'quantile'],
  );
  readonly #workers = this.#gauge('sluice_workers', 'Worker processes by state.', ['state']);
  readonly #workerRestarts = this.#counter('sluice_worker_restarts_total', 'Restarts of a worker process.', [
    'worker',
  ]);
  readonly #workerMemory = this.#gauge(
    'sluice_worker_resident_memory_bytes',
    'Resident memory of a worker process.',
    ['worker'],
  );

  readonly #forwards = this.#gauge('sluice_forwards', 'Streams that are published elsewhere, by state.', [
    'state',
  ]);
  readonly #forwardBytes = this.#counter(
    'sluice_forward_bytes_sent_total',
    'Bytes that were sent to other servers.',
    ['stream', 'url'],
  );

  readonly #jobs = this.#gauge('sluice_jobs', 'Jobs by state.', ['state']);
  readonly #jobRunning = this.#gauge('sluice_job_running', 'Whether something goes out of a job: 1 or 0.', [
    'job',
    'type',
  ]);
  readonly #jobSpeed = this.#gauge('sluice_job_speed', 'Media time per time of a job; 1 is real time.', [
    'job',
    'type',
  ]);
  readonly #jobBytes = this.#counter(
    'sluice_job_bytes_sent_total',
    'Bytes that all outputs of a job were sent.',
    ['job', 'type'],
  );
  readonly #jobDrops = this.#counter(
    'sluice_job_dropped_access_units_total',
    'Access units that outputs of a job lost because they were too slow.',
    ['job', 'type'],
  );

  readonly #timers = this.#gauge('sluice_timers', 'Timers of the server that are waiting.', []);

  constructor(deps: Pick<ApiDependencies, 'hub' | 'runs' | 'workers' | 'forwards' | 'jobs'>) {
    this.#deps = deps;
    collectDefaultMetrics({ register: this.#registry, eventLoopMonitoringPrecision: EVENT_LOOP_SAMPLE_MS });
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  /** The exposition text of this moment. */
  async text(): Promise<string> {
    this.#readStreams();
    this.#readRuns();
    this.#readWorkers();
    this.#readForwards();
    this.#readJobs();
    this.#timers.set(systemClock.pending);
    return this.#registry.metrics();
  }

  #readStreams(): void {
    for (const metric of [this.#unitsReceived, this.#bytesReceived, this.#discarded]) metric.reset();
    for (const metric of [this.#bytesSent, this.#dropped, this.#skips]) metric.reset();
    for (const metric of [this.#packetsLost, this.#packetsLate, this.#packetsTwice, this.#concealed]) {
      metric.reset();
    }
    this.#readerLost.reset();
    for (const metric of [this.#streams, this.#readers, this.#feeds]) metric.reset();
    for (const stream of this.#deps.hub.streams) {
      const labels = { stream: stream.name };
      this.#streams.inc({ state: stream.state });
      this.#unitsReceived.inc(labels, stream.counters.units);
      this.#bytesReceived.inc(labels, stream.counters.bytes);
      this.#discarded.inc(labels, stream.counters.discarded);
      this.#feeds.set(labels, stream.feeds.length);
      for (const feed of stream.feeds) {
        for (const reader of feed.readers) this.#readers.inc({ ...labels, door: reader.door });
      }
      for (const [door, total] of this.#readerTotals(stream)) {
        this.#bytesSent.inc({ ...labels, door }, total.bytes);
        this.#skips.inc({ ...labels, door }, total.skips);
        this.#dropped.inc({ ...labels, door, kind: 'video' }, total.video);
        this.#dropped.inc({ ...labels, door, kind: 'audio' }, total.audio);
        this.#readerLost.inc({ ...labels, door }, total.lost);
      }
      for (const { track, lost, late, duplicate, concealed } of stream.reception ?? []) {
        const of = { ...labels, track: String(track) };
        this.#packetsLost.inc(of, lost);
        this.#packetsLate.inc(of, late);
        this.#packetsTwice.inc(of, duplicate);
        this.#concealed.inc(of, concealed);
      }
    }
  }

  /** Adds what each reader counted since it was last looked at. */
  #readerTotals(stream: Stream): Map<string, ReaderTotals> {
    const totals = this.#totals.get(stream) ?? new Map<string, ReaderTotals>();
    this.#totals.set(stream, totals);
    for (const reader of stream.feeds.flatMap((feed) => [...feed.readers])) {
      const { bytes, droppedVideo: video, droppedAudio: audio, skips } = reader.counters;
      const now: ReaderTotals = { bytes, video, audio, skips, lost: reader.lost ?? 0 };
      const before = this.#counted.get(reader) ?? NONE;
      const total = totals.get(reader.door) ?? NONE;
      totals.set(reader.door, {
        bytes: total.bytes + now.bytes - before.bytes,
        video: total.video + now.video - before.video,
        audio: total.audio + now.audio - before.audio,
        skips: total.skips + now.skips - before.skips,
        // Said by the reader, and taken back where packets came after all.
        lost: total.lost + Math.max(now.lost - before.lost, 0),
      });
      this.#counted.set(reader, now);
    }
    return totals;
  }

  #readRuns(): void {
    for (const metric of [this.#runs, this.#runFrames, this.#runDecoded, this.#runExpired, this.#runAge]) {
      metric.reset();
    }
    for (const { id, stream, algorithm, state, statistics } of this.#deps.runs.list()) {
      const labels = { run: id, stream, algorithm };
      this.#runs.inc({ state });
      for (const outcome of ['offered', 'inferred', 'skipped', 'failed'] as const) {
        this.#runFrames.inc({ ...labels, outcome }, statistics[outcome]);
      }
      this.#runExpired.inc(labels, statistics.expired);
      this.#runDecoded.inc(labels, statistics.decoded);
      this.#runAge.set({ ...labels, quantile: '0.5' }, statistics.resultAgeMs.p50 / 1000);
      this.#runAge.set({ ...labels, quantile: '0.95' }, statistics.resultAgeMs.p95 / 1000);
    }
  }

  #readWorkers(): void {
    for (const metric of [this.#workers, this.#workerRestarts, this.#workerMemory]) metric.reset();
    for (const { id, state, restarts, rssBytes } of this.#deps.workers()) {
      this.#workers.inc({ state });
      this.#workerRestarts.inc({ worker: id }, restarts);
      if (rssBytes !== undefined) this.#workerMemory.set({ worker: id }, rssBytes);
    }
  }

  #readForwards(): void {
    for (const metric of [this.#forwards, this.#forwardBytes]) metric.reset();
    for (const { stream, url, state, bytesSent } of this.#deps.forwards?.() ?? []) {
      this.#forwards.inc({ state });
      this.#forwardBytes.inc({ stream, url }, bytesSent);
    }
  }

  #readJobs(): void {
    const each = [this.#jobRunning, this.#jobSpeed, this.#jobBytes, this.#jobDrops];
    for (const metric of [this.#jobs, ...each]) metric.reset();
    for (const { name, type, state, progress } of this.#deps.jobs?.list() ?? []) {
      const labels = { job: name, type };
      this.#jobs.inc({ state });
      this.#jobRunning.set(labels, state === 'running' ? 1 : 0);
      this.#jobSpeed.set(labels, progress.speed);
      this.#jobBytes.inc(labels, progress.bytesSent);
      this.#jobDrops.inc(labels, progress.drops);
    }
  }

  #gauge<Label extends string>(name: string, help: string, labelNames: readonly Label[]): Gauge<Label> {
    return new Gauge({ name, help, labelNames, registers: [this.#registry] });
  }

  #counter<Label extends string>(name: string, help: string, labelNames: readonly Label[]): Counter<Label> {
    return new Counter({ name, help, labelNames, registers: [this.#registry] });
  }
}
