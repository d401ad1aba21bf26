import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { barcodeClip } from '../../test/support/media.ts';
import { MseViewer, RtspViewer, type Viewer } from '../../test/support/viewers.ts';
import { type BenchServer, sleep, stop, until } from '../server.ts';

const STREAMS = 20;
const READERS = 40;
/** Streams of one ffmpeg process. */
const PER_PUBLISHER = 4;

/** What looks at which stream. */
const RUNS = [
  { stream: 's/1', algorithm: 'people', parameters: { fps: 1 } },
  { stream: 's/2', algorithm: 'people', parameters: { fps: 1 } },
  { stream: 's/3', algorithm: 'barcode', parameters: { fps: 1 } },
  { stream: 's/4', algorithm: 'flaky', parameters: { fps: 1 } },
] as const;

/** The configuration of the server under load. */
export const configuration = `demo: false\nworkers: { max: 4 }\nalgorithms: { folders: [${JSON.stringify(
  join(import.meta.dirname, '../../test/support/algorithms'),
)}] }`;

/** An ffmpeg that publishes some of the streams, started again a second after it died. */
class Publisher {
  readonly #args: readonly string[];
  #child: ChildProcess;
  #over = false;

  constructor(clip: string, addresses: readonly string[]) {
    const output = ['-map', '0', '-c', 'copy', '-f', 'rtsp', '-rtsp_transport', 'tcp'];
    const outputs = addresses.flatMap((address) => [...output, address]);
    this.#args = ['-v', 'error', '-re', '-stream_loop', '-1', '-i', clip, ...outputs];
    this.#child = this.#start();
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }

  async end(): Promise<void> {
    this.#over = true;
    await stop(this.#child);
  }

  #start(): ChildProcess {
    // What ffmpeg says when it loses its server is of no interest here.
    const child = spawn('ffmpeg', this.#args, { stdio: 'ignore' });
    child.on('exit', () => {
      if (this.#over) return;
      setTimeout(() => {
        if (!this.#over) this.#child = this.#start();
      }, 1000);
    });
    return child;
  }
}

/** A reader that comes back whenever it is closed. */
class Seat {
  readonly #open: () => Promise<Viewer>;
  #viewer: Viewer | undefined;
  #over = false;
  reconnects = -1;
  /** Bytes of viewers that are gone. */
  #before = 0;

  constructor(open: () => Promise<Viewer>) {
    this.#open = open;
    void this.#keep();
  }

  get bytes(): number {
    return this.#before + (this.#viewer?.bytes ?? 0);
  }

  stall(): void {
    this.#viewer?.stall();
  }

  resume(): void {
    this.#viewer?.resume();
  }

  async end(): Promise<void> {
    this.#over = true;
    await this.#viewer?.[Symbol.asyncDispose]();
  }

  async #keep(): Promise<void> {
    while (!this.#over) {
      if (this.#viewer === undefined || this.#viewer.closed) {
        this.#before += this.#viewer?.bytes ?? 0;
        this.#viewer = await this.#open().catch(() => undefined);
        this.reconnects++;
      }
      await sleep(500);
    }
  }
}

/** Publishers, readers and runs on one server. */
export class Load {
  readonly #server: BenchServer;
  readonly #publishers: Publisher[] = [];
  readonly seats: Seat[] = [];

  private constructor(server: BenchServer) {
    this.#server = server;
  }

  static async start(server: BenchServer): Promise<Load> {
    const load = new Load(server);
    const clip = await barcodeClip({ seconds: 20 });
    const names = Array.from({ length: STREAMS }, (_, n) => `s/${n + 1}`);
    for (let n = 0; n < STREAMS; n += PER_PUBLISHER) {
      const addresses = names.slice(n, n + PER_PUBLISHER).map((name) => `${server.rtsp}/${name}`);
      load.#publishers.push(new Publisher(clip, addresses));
    }
    await until(async () => (await load.#api<{ streams: unknown[] }>('streams')).streams.length === STREAMS);
    for (const run of RUNS) {
      await fetch(`${server.http}/api/runs`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(run),
      });
    }
    for (let n = 0; n < READERS; n++) load.seats.push(new Seat(() => load.open(n)));
    return load;
  }

  /** A reader of stream n, over RTSP or MSE by turns. */
  open(n: number): Promise<Viewer> {
    const name = `s/${(n % STREAMS) + 1}`;
    const overMse = Math.floor(n / STREAMS) % 2 === 1;
    return overMse
      ? MseViewer.open(`${this.#server.http.replace('http', 'ws')}/${name}/mse`)
      : RtspViewer.open(`${this.#server.rtsp}/${name}`);
  }

  publisher(n: number): Publisher {
    return this.#publishers[n % this.#publishers.length]!;
  }

  /** What does not work as it should; empty when all streams, readers and runs do. Takes four seconds. */
  async faults(): Promise<string[]> {
    const bytes = this.seats.map((seat) => seat.bytes);
    const seen = new Map((await this.#runs()).map(({ id, statistics }) => [id, statistics.inferred]));
    await sleep(4000);
    const { streams } = await this.#api<{ streams: { name: string; state: string }[] }>('streams');
    const runs = await this.#runs();
    const idle = this.seats.filter((seat, n) => seat.bytes === bytes[n]).length;
    return [
      ...streams
        .filter(({ state }) => state !== 'live')
        .map(({ name, state }) => `stream ${name} is ${state}`),
      ...(streams.length === STREAMS ? [] : [`there are ${streams.length} streams`]),
      ...(idle === 0 ? [] : [`${idle} readers get nothing`]),
      ...(runs.length === RUNS.length ? [] : [`there are ${runs.length} runs`]),
      ...runs
        .filter(({ id, state, statistics }) => state !== 'running' || statistics.inferred === seen.get(id))
        .map(({ id, state, reason }) => `run ${id} is ${state} and looks at nothing: ${reason}`),
    ];
  }

  async end(): Promise<void> {
    await Promise.all([...this.seats, ...this.#publishers].map(async (one) => one.end()));
  }

  async #runs() {
    type Run = { id: string; state: string; reason?: string; statistics: { inferred: number } };
    return (await this.#api<{ runs: Run[] }>('runs')).runs;
  }

  async #api<T>(path: string): Promise<T> {
    return (await fetch(`${this.#server.http}/api/${path}`)).json() as Promise<T>;
  }
}
