import { afterRefusal, DoorRefusal, isSetback } from './door-refusal.ts';
import { EdgeEnvelope } from './edge-envelope.ts';
import type { Setback } from './ladder.ts';
import { MultipartReader, type Part } from './multipart-reader.ts';
import { Repeated } from './repeated.ts';
import {
  doorAddress,
  type PlayerSource,
  type SourceEvents,
  type SourceOptions,
  type SourceState,
  type StreamStatus,
} from './source.ts';

/** Pictures a second and their width: what is looked at for want of better. */
const FPS = 10;
const WIDTH = 960;
/** Pictures that are held back, at the most. */
const LONGEST_HOLD_S = 12;
const LARGEST_QUEUE = LONGEST_HOLD_S * FPS;
const NEAREST_S = 0.1;
const LIVE_SETTLED_S = 0.6;
const SETTLED_S = 0.25;
/** A body that ends is asked for again after this, ms. */
const AGAIN_MS = 1_000;

interface Waiting {
  /** 90 kHz ticks. */
  readonly pts: number;
  readonly jpeg: Blob;
}

/**
 * Moving JPEG, which any browser can show: no sound, few pictures, but each with the timestamp of its access unit, so
 * that boxes are as exact as anywhere.
 */
export class MjpegSource implements PlayerSource {
  readonly rung = 'mjpeg';
  readonly sound = undefined;
  readonly longestHold = LONGEST_HOLD_S;
  readonly #options: SourceOptions;
  readonly #events: SourceEvents;
  readonly #over = new AbortController();
  readonly #edge = new EdgeEnvelope();
  readonly #ends = new Repeated(4, 20_000);
  readonly #queue: Waiting[] = [];
  #hold: number | undefined;
  #latency: number | undefined;
  #hadMedia = false;
  #due: ReturnType<typeof setTimeout> | undefined;
  #again: ReturnType<typeof setTimeout> | undefined;
  #isDrawing = false;

  constructor(options: SourceOptions) {
    this.#options = options;
    this.#events = options.events;
    this.#hold = options.hold;
    this.#events.state({ kind: 'connecting' });
    void this.#read();
  }

  get latency(): number | undefined {
    return this.#latency;
  }

  get target(): number {
    return Math.max(NEAREST_S, this.#hold ?? 0);
  }

  get isSettled(): boolean {
    if (this.#latency === undefined) return false;
    return !this.#hold ? this.#latency < LIVE_SETTLED_S : Math.abs(this.#latency - this.#hold) < SETTLED_S;
  }

  edge(now: number): number | undefined {
    return this.#edge.edge(now);
  }

  hold(seconds: number | undefined): void {
    this.#hold = seconds;
    this.#schedule();
  }

  told(status: StreamStatus): void {
    if (status.held) this.#edge.interrupted();
  }

  anchor(_pts: number): void {}

  nudge(_isServerBack: boolean): void {
    if (this.#again === undefined) return;
    clearTimeout(this.#again);
    void this.#read();
  }

  close(): void {
    this.#over.abort();
    clearTimeout(this.#due);
    clearTimeout(this.#again);
    this.#queue.length = 0;
  }

  async #read(): Promise<void> {
    this.#again = undefined;
    const { signal } = this.#over;
    const { origin, stream } = this.#options;
    try {
      const address = `${doorAddress(origin, stream, 'mjpeg')}?width=${WIDTH}&fps=${FPS}`;
      const response = await fetch(address, { signal });
      if (!response.ok || !response.body) throw await DoorRefusal.of(response);
      this.#events.state({ kind: 'open' });
      this.#events.tracks([{ id: 0, kind: 'video', codec: 'mjpeg', codecString: '' }], []);
      const reader = new MultipartReader();
      const body = response.body.getReader();
      for (let read = await body.read(); !read.done; read = await body.read()) {
        for (const part of reader.push(read.value)) this.#arrived(part);
      }
      throw new DoorRefusal(502, '', 'The pictures ended.');
    } catch (error) {
      if (!signal.aborted) this.#ended(error);
    }
  }

  #ended(error: unknown): void {
    const next: SourceState | Setback =
      this.#hadMedia && this.#ends.count(performance.now())
        ? { kind: 'broken' }
        : afterRefusal(error, this.#hadMedia, Date.now());
    if (next.kind === 'broken' || isSetback(next)) {
      this.close();
      return this.#events.failed(next);
    }
    this.#events.state(next);
    this.#again = setTimeout(() => void this.#read(), AGAIN_MS);
  }

  #arrived({ headers, body }: Part): void {
    const pts = Number(headers.get('x-pts') ?? Number.NaN);
    if (!Number.isFinite(pts)) return;
    this.#hadMedia = true;
    this.#edge.observe(performance.now(), pts / 90_000);
    this.#queue.push({ pts, jpeg: new Blob([body], { type: 'image/jpeg' }) });
    if (this.#queue.length > LARGEST_QUEUE) this.#queue.shift();
    this.#schedule();
  }

  /** Waits for the first picture's time to come. */
  #schedule(): void {
    clearTimeout(this.#due);
    const [first] = this.#queue;
    const edge = this.#edge.edge(performance.now());
    if (!first || edge === undefined || this.#isDrawing) return;
    const early = first.pts / 90_000 - (edge - (this.#hold ?? 0));
    this.#due = setTimeout(() => void this.#draw(), Math.max(0, early * 1_000));
  }

  async #draw(): Promise<void> {
    const waiting = this.#queue.shift();
    if (!waiting) return;
    // Decoding takes its time, and pictures stay in their order.
    this.#isDrawing = true;
    const picture = await createImageBitmap(waiting.jpeg).catch(() => undefined);
    this.#isDrawing = false;
    if (picture && !this.#over.signal.aborted) this.#show(waiting.pts, picture);
    picture?.close();
    if (!this.#over.signal.aborted) this.#schedule();
  }

  #show(pts: number, picture: ImageBitmap): void {
    const edge = this.#edge.edge(performance.now());
    if (edge !== undefined) this.#latency = edge - pts / 90_000;
    const { width, height } = picture;
    this.#events.playing();
    this.#events.frame({ picture, width, height, pts, skipped: 0 });
  }
}
