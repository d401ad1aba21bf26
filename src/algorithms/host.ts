import { messageOf } from '#util/named-error.ts';
import type { Algorithm, Context, Detection, Frame, Manifest, Parameters, ResultObject } from './contract.ts';
import type { FromHost, ToHost } from './host-messages.ts';
import { Tracker } from './tracker.ts';

/** How far below the threshold a detection may be and still keep a known object, and the least score for that. */
const weakMargin = 0.25;
const leastWeakScore = 0.1;

type Message<Type extends ToHost['type']> = Extract<ToHost, { type: Type }>;

/**
 * Serves one loaded algorithm to any number of runs: what an algorithm host does, without the process around it.
 * Frames are looked at one after another in the order they come, whichever run they belong to, those of several runs at a
 * time where the algorithm can; `ping` is answered at once, so it says whether the event loop is free.
 */
export class AlgorithmHost {
  readonly #manifest: Manifest;
  readonly #algorithm: Algorithm;
  readonly #send: (message: FromHost) => void;
  readonly #runs = new Map<string, HostedRun>();
  /** What is under way: of each run by itself where the algorithm looks at several at a time. */
  readonly #work = new Map<string, Promise<void>>();
  #closed = false;

  constructor(manifest: Manifest, algorithm: Algorithm, send: (message: FromHost) => void) {
    this.#manifest = manifest;
    this.#algorithm = algorithm;
    this.#send = send;
  }

  receive(message: ToHost): void {
    switch (message.type) {
      case 'open':
        // Opened again, with other parameters say, a run begins anew: its objects get new identities.
        this.#runs.set(message.run, new HostedRun(this.#manifest, message.parameters));
        break;
      case 'close':
        this.#runs.delete(message.run);
        break;
      case 'frame':
        this.#queue(message);
        break;
      case 'ping':
        this.#send({ type: 'pong', sequence: message.sequence, rssBytes: process.memoryUsage.rss() });
        break;
    }
  }

  #queue(message: Message<'frame'>): void {
    const line = this.#algorithm.isConcurrent ? message.run : '';
    const work = (this.#work.get(line) ?? Promise.resolve())
      .then(async () => this.#look(message))
      .finally(() => {
        if (this.#work.get(line) === work) this.#work.delete(line);
      });
    this.#work.set(line, work);
  }

  /** Looks at a frame and answers with `found` or `error`; never rejects. */
  async #look({ run: id, sequence, frame }: Message<'frame'>): Promise<void> {
    if (this.#closed) return;
    const run = this.#runs.get(id);
    if (run === undefined) {
      this.#send({ type: 'error', run: id, sequence, message: `run "${id}" is not open` });
      return;
    }
    try {
      const start = performance.now();
      const { objects, state, picture } = await this.#algorithm.detect(frame, run.context);
      const inferMs = performance.now() - start;
      const final = run.finish(frame, objects);
      this.#send({
        type: 'found',
        run: id,
        sequence,
        objects: final,
        ...(state === undefined ? {} : { state }),
        ...(picture === undefined ? {} : { picture }),
        inferMs,
      });
    } catch (error) {
      this.#send({ type: 'error', run: id, sequence, message: messageOf(error) });
    }
  }

  /** Passes over the frames still waiting, waits for what is being looked at, and lets the algorithm go. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await Promise.all(this.#work.values());
    await this.#algorithm[Symbol.asyncDispose]();
  }
}

/** What one run adds to the algorithm: its parameters, the choice of labels, and the identities of its objects. */
class HostedRun {
  readonly context: Context;
  readonly #classes: ReadonlySet<unknown> | undefined;
  readonly #threshold: number;
  readonly #tracker: Tracker | undefined;

  constructor(manifest: Manifest, parameters: Parameters) {
    const { threshold, classes } = parameters;
    this.#threshold = typeof threshold === 'number' ? threshold : 0;
    this.#classes = Array.isArray(classes) ? new Set(classes) : undefined;
    const track = manifest.track ?? manifest.task === 'detect';
    this.#tracker = track ? new Tracker({ threshold: this.#threshold }) : undefined;
    const weakest = Math.max(leastWeakScore, this.#threshold - weakMargin);
    this.context = { parameters, minimumScore: track ? Math.min(this.#threshold, weakest) : this.#threshold };
  }

  /** The objects of a frame's result, from what the algorithm saw. */
  finish({ pts }: Frame, detections: readonly Detection[]): ResultObject[] {
    const classes = this.#classes;
    const wanted = classes === undefined ? detections : detections.filter(({ label }) => classes.has(label));
    if (this.#tracker !== undefined) return this.#tracker.update(pts, wanted);
    return wanted
      .filter(({ score }) => score >= this.#threshold)
      .map((detection) => ({ ...detection, observed: true }));
  }
}
