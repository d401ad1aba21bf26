import { aacFormat } from '#codecs/aac.ts';
import type { LinkPublication, Subscription, TaskSpec } from '#link/client.ts';
import type { AccessUnit } from '#media/access-unit.ts';
import { type AudioTrack, isAudio, type Track } from '#media/track.ts';
import { Backoff } from '#util/backoff.ts';
import { NamedError } from '#util/named-error.ts';
import { AacFramer, canFrame, FRAME_RATE, type SoundFrame } from './aac-framer.ts';
import { AacEncoder } from './av/aac-encoder.ts';
import { sleep, type TaskContext, type TaskOutcome } from './task.ts';

type RenditionSpec = Extract<TaskSpec, { kind: 'rendition' }>;

/** Id of the track that is made from track `id`. */
const TRACK_OFFSET = 1000;
/** What G.711 holds is well kept by this; per channel. */
const BIT_RATE = 48_000;
/** Access units that may wait for the encoder: over that (it needs 2 ms for 20) something is wrong. */
const MAX_WAITING = 500;

/**
 * Makes a G.711 track available as AAC-LC at 48 kHz: sample times and capture times are the source's own, the encoder's
 * delay is taken off.
 *
 * @throws {NamedError} RENDITION_UNSUPPORTED for a source that cannot be made AAC, PUBLICATION_ENDED when the hub
 *   ended it
 */
export async function runRendition(spec: RenditionSpec, context: TaskContext): Promise<TaskOutcome> {
  const backoff = new Backoff({ minimum: 500, maximum: 5000 });
  while (!context.signal.aborted) {
    const reason = await new Transcoder(spec, context, () => backoff.reset()).run();
    if (context.signal.aborted) break;
    context.state('waiting', reason);
    await sleep(backoff.next(), context.signal);
  }
  return { reason: 'Stopped.' };
}

/** One subscription's worth of transcoding: from the first access unit to the end of the stream. */
class Transcoder {
  readonly #spec: RenditionSpec;
  readonly #context: TaskContext;
  readonly #onLive: () => void;
  #waiting: AccessUnit[] = [];
  #wake = Promise.withResolvers<void>();
  #end: string | undefined;
  #failure: NamedError | undefined;

  #source: Track | undefined;
  #framer: AacFramer | undefined;
  #encoder: AacEncoder | undefined;
  #publication: LinkPublication | undefined;
  #track: AudioTrack | undefined;
  /** Of the first sound: the encoder's first packet lies a whole frame before it, priming, nothing to hear. */
  #firstPts = 0;

  constructor(spec: RenditionSpec, context: TaskContext, onLive: () => void) {
    this.#spec = spec;
    this.#context = context;
    this.#onLive = onLive;
  }

  /** Resolves with the reason when the stream ends, or the task is stopped. */
  async run(): Promise<string> {
    const { link, signal } = this.#context;
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
        const unit = this.#waiting.shift();
        if (unit) await this.#transcode(unit);
        else await this.#wake.promise;
      }
    } finally {
      signal.removeEventListener('abort', stop);
      subscription.close();
      this.#publication?.close(this.#end ?? 'The rendition failed.');
      this.#encoder?.close();
    }
  }

  #arrive(unit: AccessUnit): void {
    if (unit.track.id !== this.#spec.track) return;
    this.#waiting.push(unit);
    if (this.#waiting.length > MAX_WAITING) {
      this.#context.log(
        'warn',
        `The rendition of "${this.#spec.stream}" is too slow: ${MAX_WAITING} units are lost.`,
      );
      this.#waiting = [];
    }
    this.#signal();
  }

  #finish(reason: string): void {
    this.#end ??= reason;
    this.#signal();
  }

  #signal(): void {
    this.#wake.resolve();
    this.#wake = Promise.withResolvers();
  }

  async #transcode(unit: AccessUnit): Promise<void> {
    if (unit.track !== this.#source) this.#begin(unit.track);
    const frames = this.#framer?.push(unit) ?? [];
    for (const frame of frames) await this.#encode(frame, unit);
  }

  #begin(source: Track): void {
    this.#source = source;
    const format = isAudio(source) ? source.format : undefined;
    const codec = format?.codec;
    if (
      !format ||
      (codec !== 'pcma' && codec !== 'pcmu') ||
      !canFrame(format.sampleRate) ||
      format.channels > 2
    ) {
      const message =
        `Track ${source.id} of "${this.#spec.stream}" is ${source.format.codec}; only G.711 (pcma, pcmu) ` +
        'in mono or stereo, at a sample rate that divides 48 kHz, can be made AAC.';
      throw new NamedError('RENDITION_UNSUPPORTED', message, 415);
    }
    this.#framer = new AacFramer(codec, format.sampleRate, format.channels);
    this.#encoder?.close();
    this.#encoder = undefined;
  }

  async #encode(frame: SoundFrame, unit: AccessUnit): Promise<void> {
    if (frame.restart) {
      this.#encoder?.close();
      this.#encoder = undefined;
      this.#firstPts = Math.max(0, frame.pts);
    }
    const channels = frame.planes.length;
    this.#encoder ??= await AacEncoder.open(FRAME_RATE, channels, BIT_RATE * channels);
    const { config } = this.#encoder;
    if (!this.#track?.format.config.equals(config)) {
      this.#track = { id: this.#spec.track + TRACK_OFFSET, clockRate: FRAME_RATE, format: aacFormat(config) };
    }
    for (const { pts, data } of await this.#encoder.encode(frame.planes, frame.pts)) {
      if (pts >= this.#firstPts) this.#write(this.#track, pts, data, unit);
    }
  }

  #write(track: AudioTrack, pts: number, data: Buffer, source: AccessUnit): void {
    if (!this.#publication) {
      const { link, task } = this.#context;
      const ended = (reason: string) => {
        this.#failure = new NamedError('PUBLICATION_ENDED', reason, 409);
        this.#signal();
      };
      this.#publication = link.publish(task, this.#spec.stream, [track], ended, { of: this.#spec.track });
      this.#context.state('running');
      this.#onLive();
    }
    const ntp = source.ntp + (pts / FRAME_RATE - source.pts / source.track.clockRate) * 1000;
    this.#publication.write({ track, pts, dts: pts, keyframe: true, ntp, payload: [data] });
  }
}
