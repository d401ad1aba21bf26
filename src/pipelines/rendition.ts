import type { LinkPublication, Subscription, TaskSpec } from '#link/client.ts';
import type { AccessUnit } from '#media/access-unit.ts';
import { PacketWindow } from '#media/packet-window.ts';
import { Backoff } from '#util/backoff.ts';
import { NamedError } from '#util/named-error.ts';
import { Burner } from './burn-in/burner.ts';
import type { DelayedUnits } from './burn-in/delayed-units.ts';
import type { Converter } from './converter.ts';
import { converterFor } from './converters.ts';
import { sleep, type TaskContext, type TaskOutcome } from './task.ts';

type RenditionSpec = Extract<TaskSpec, { kind: 'rendition' }>;

/**
 * Makes a track of a stream available in another codec, with the presentation and capture times of its source. Begins
 * again when the stream does.
 *
 * @throws {NamedError} RENDITION_UNSUPPORTED, ENCODER_MISSING, PUBLICATION_ENDED when the hub ended it
 */
export async function runRendition(spec: RenditionSpec, context: TaskContext): Promise<TaskOutcome> {
  const backoff = new Backoff({ minimum: 500, maximum: 5000 });
  while (!context.signal.aborted) {
    const reason = await new Transcoding(spec, context, () => backoff.reset()).run();
    if (context.signal.aborted) break;
    context.state('waiting', reason);
    await sleep(backoff.next(), context.signal);
  }
  return { reason: 'Stopped.' };
}

/** A machine that is too slow loses units with each that comes: it is said once in so many ms. */
const COMPLAINT_MS = 10_000;

/** One subscription's worth of transcoding: from the first access unit to the end of the stream. */
class Transcoding {
  readonly #spec: RenditionSpec;
  readonly #context: TaskContext;
  readonly #onLive: () => void;
  readonly #converter: Converter;
  readonly #burner: Burner | undefined;
  readonly #waiting: PacketWindow | DelayedUnits;
  #wake = Promise.withResolvers<void>();
  #end: string | undefined;
  #failure: NamedError | undefined;
  /** Units that were lost when it was said last. */
  #dropped = 0;
  #complainedAt = Number.NEGATIVE_INFINITY;
  #publication: LinkPublication | undefined;

  constructor(spec: RenditionSpec, context: TaskContext, onLive: () => void) {
    this.#spec = spec;
    this.#context = context;
    this.#onLive = onLive;
    const { stream, id, request } = spec;
    const { log } = context;
    const due = () => this.#signal();
    this.#burner = request.burnIn && new Burner(request.burnIn, due, (message) => log('warn', message));
    this.#waiting = this.#burner?.units ?? new PacketWindow();
    this.#converter = converterFor({ of: stream, id, request, pace: 'live', log, burner: this.#burner });
  }

  /** Resolves with the reason when the stream ends, or the task is stopped. */
  async run(): Promise<string> {
    const { link, signal, inputs } = this.#context;
    const forget = inputs.on('input', (input) => this.#burner?.take(input));
    const stop = () => this.#finish('The rendition was stopped.');
    signal.addEventListener('abort', stop, { once: true });
    const subscription: Subscription = link.subscribe(
      this.#spec.stream,
      { unit: (unit) => this.#arrive(unit), end: (reason) => this.#finish(reason) },
      { tracks: [this.#spec.track] },
    );
    try {
      for (;;) {
        if (this.#failure) throw this.#failure;
        if (this.#end !== undefined) return this.#end;
        const taken = this.#waiting.take();
        if (!taken) {
          await this.#wake.promise;
          continue;
        }
        const { unit, fresh } = taken;
        for (const made of await this.#converter.convert(unit, fresh, this.#waiting.newestPts))
          this.#write(made);
      }
    } finally {
      signal.removeEventListener('abort', stop);
      subscription.close();
      this.#publication?.close(this.#end ?? 'The rendition failed.');
      this.#converter.close();
      forget();
      this.#burner?.close();
    }
  }

  #arrive(unit: AccessUnit): void {
    if (unit.track.id !== this.#spec.track) return;
    this.#waiting.push(unit);
    this.#complain();
    this.#signal();
  }

  /** Says what was lost since it was said last. */
  #complain(): void {
    // What waits before the first unit is out is no loss.
    if (!this.#publication) this.#dropped = this.#waiting.dropped;
    const lost = this.#waiting.dropped - this.#dropped;
    const now = performance.now();
    if (lost === 0 || now - this.#complainedAt < COMPLAINT_MS) return;
    this.#complainedAt = now;
    this.#dropped = this.#waiting.dropped;
    this.#context.log('warn', `The rendition of "${this.#spec.stream}" is too slow: ${lost} units are lost.`);
  }

  #finish(reason: string): void {
    this.#end ??= reason;
    this.#signal();
  }

  #signal(): void {
    this.#wake.resolve();
    this.#wake = Promise.withResolvers();
  }

  #write(unit: AccessUnit): void {
    if (!this.#publication) {
      const { link, task } = this.#context;
      const ended = (reason: string) => {
        this.#failure = new NamedError('PUBLICATION_ENDED', reason, 409);
        this.#signal();
      };
      this.#publication = link.publish(task, this.#spec.stream, [unit.track], ended, {
        of: this.#spec.track,
        onKeyframeRequest: () => this.#converter.requestKeyframe?.(),
      });
      this.#context.state('running');
      this.#onLive();
    }
    this.#publication.write(unit);
  }
}
