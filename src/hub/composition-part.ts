import { type AccessUnit, payloadSize } from '#media/access-unit.ts';
import type { RenditionRequest } from '#media/rendition-request.ts';
import { isVideo, type Track } from '#media/track.ts';
import type { CompositionPart, CompositionPartStatus } from './composition-spec.ts';
import type { Hub } from './hub.ts';
import type { TrackClockState, TrackReception } from './publication.ts';
import { Reader } from './reader.ts';
import type { Rendition } from './rendition.ts';
import type { Stream } from './stream.ts';

export interface PartListener {
  /** Its stream came, went, is held or back, or has other tracks. */
  changed(): void;
  /** Its stream has another publisher: another clock, and another delay. */
  restarted(): void;
  /** @param isKept it came before the part began to read */
  unit(unit: AccessUnit, isKept: boolean): void;
}

/** Who reads, as the stream shows its readers. */
export interface PartReaderInfo {
  readonly id: string;
  readonly remote: string;
}

/** A rendition that it holds. */
interface Made {
  /** Id of the stream's track that it is made from. */
  readonly of: number;
  readonly rendition: Rendition;
  /** Undefined while its maker has not shown it. */
  track: Track | undefined;
}

/**
 * Reads one part of a composition from its stream, whenever that is there: its units as they are, and those of its
 * renditions. The stream counts it as a reader, so it is held and brought on demand for it.
 */
export class PartReader {
  readonly part: CompositionPart;
  readonly #info: PartReaderInfo;
  readonly #hub: Hub;
  readonly #listener: PartListener;
  readonly #release: () => void;
  readonly #listeners: (() => void)[] = [];
  #stream: Stream | undefined;
  #streamListeners: readonly (() => void)[] = [];
  /** Ids of the stream's tracks that are copied. */
  #copied: ReadonlySet<number> = new Set();
  #made: readonly Made[] = [];
  #failure: string | undefined;
  #trouble: string | undefined;
  #reader: Reader | undefined;
  #isReplaying = false;
  #closed = false;

  constructor(part: CompositionPart, info: PartReaderInfo, hub: Hub, listener: PartListener) {
    this.part = part;
    this.#info = info;
    this.#hub = hub;
    this.#listener = listener;
    this.#release = hub.onDemand.claim(part.stream);
    this.#listeners.push(
      hub.events.on('streamAdded', ({ name }) => name === part.stream && this.#look()),
      hub.events.on('streamRemoved', ({ name }) => name === part.stream && this.#look()),
    );
  }

  /** Begins to read; not before its owner is ready to be told. */
  begin(): void {
    this.#look();
  }

  get stream(): Stream | undefined {
    return this.#stream;
  }

  /** Its tracks, by the ids that its units have. */
  get tracks(): readonly Track[] {
    return [...this.#ofStream, ...this.#made.flatMap(({ track }) => track ?? [])];
  }

  /** All that it has to bring is there; that may be nothing, where the stream has no such media. */
  get isReady(): boolean {
    const isThere = this.#stream !== undefined && this.#ofStream.length === this.#copied.size;
    return isThere && this.#made.every(({ track }) => track);
  }

  get hasVideo(): boolean {
    return this.tracks.some(isVideo);
  }

  /** It reads pictures as the stream has them, which keeps those since the last keyframe. */
  get copiesVideo(): boolean {
    return this.#ofStream.some(isVideo);
  }

  /** Why one of its renditions will not come. */
  get failure(): string | undefined {
    return this.#failure;
  }

  get status(): Pick<CompositionPartStatus, 'stream' | 'kind' | 'state' | 'reason'> {
    const { stream: name, kind } = this.part;
    const who = { stream: name, ...(kind && { kind }) };
    if (this.#failure !== undefined) return { ...who, state: 'failed', reason: this.#failure };
    const stream = this.#stream;
    if (!stream) {
      const reason = this.#hub.onDemand.trouble(name) ?? `Nobody publishes "${name}" now.`;
      return { ...who, state: 'missing', reason };
    }
    if (!this.isReady) {
      const reason = this.#trouble ?? `What "${name}" is to be made is not there yet.`;
      return { ...who, state: 'missing', reason };
    }
    if (this.tracks.length === 0) {
      const what = { video: ' with a picture', audio: ' with sound' };
      return { ...who, state: 'missing', reason: `"${name}" has no track${kind ? what[kind] : ''}.` };
    }
    if (stream.state !== 'held') return { ...who, state: 'running' };
    return { ...who, state: 'held', reason: `The publisher of "${name}" is gone.` };
  }

  /** How the clocks of its tracks run, by the ids of its tracks; undefined where nobody measures them. */
  get clocks(): readonly TrackClockState[] | undefined {
    return this.#stream?.clocks?.flatMap((state) => {
      const made = this.#made.filter(({ of }) => of === state.track);
      return [
        ...(this.#copied.has(state.track) ? [state] : []),
        ...made.map(({ rendition: { id } }) => ({ ...state, track: id })),
      ];
    });
  }

  /** What was lost on the way of those that are copied. */
  get reception(): readonly TrackReception[] | undefined {
    return this.#stream?.reception?.filter(({ track }) => this.#copied.has(track));
  }

  /** True where its picture's source can be asked for a keyframe. */
  get canRequestKeyframe(): boolean {
    return this.hasVideo && this.#stream?.canRequestKeyframe(this.#ids()) === true;
  }

  requestKeyframe(): void {
    if (this.hasVideo) this.#stream?.requestKeyframe(this.#ids());
  }

  /** Reads anew, from the last keyframe: what came before is not to be had any more. */
  reopen(): void {
    if (this.#stream?.state !== 'live' || !this.#reader) return;
    this.#leave('It reads anew.');
    this.#open(this.#stream);
  }

  /** Idempotent. */
  close(reason: string): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const off of this.#listeners) off();
    this.#detach(reason);
    this.#release();
  }

  /** Those that are copied, as they are now. */
  get #ofStream(): readonly Track[] {
    return this.#stream?.tracks.filter(({ id }) => this.#copied.has(id)) ?? [];
  }

  #look(): void {
    if (this.#closed) return;
    const stream = this.#hub.get(this.part.stream);
    if (stream === this.#stream) return;
    this.#detach('The stream has ended.');
    this.#stream = stream;
    if (stream) {
      const { events } = stream;
      const { changed, restarted } = this.#listener;
      this.#streamListeners = [
        events.on('replaced', () => {
          this.#choose(stream);
          changed();
        }),
        events.on('publisher', (publisher) => publisher && restarted()),
        events.on('standby', restarted),
        events.on('held', changed),
        events.on('live', changed),
      ];
      this.#choose(stream);
    }
    this.#listener.changed();
  }

  #detach(reason: string): void {
    for (const off of this.#streamListeners) off();
    this.#streamListeners = [];
    this.#forget(reason);
    this.#stream = undefined;
  }

  /** Takes what it is to bring of the tracks that there are now. */
  #choose(stream: Stream): void {
    this.#forget('The stream has other tracks now.');
    const { kind, rendition } = this.part;
    const wanted = stream.tracks.filter(({ format }) => kind === undefined || format.kind === kind);
    const requestOf = ({ format }: Track) => (format.kind === 'data' ? undefined : rendition?.[format.kind]);
    const isMade = (track: Track) => {
      const request = requestOf(track);
      return request !== undefined && !isAlready(track, request);
    };
    this.#copied = new Set(wanted.filter((track) => !isMade(track)).map(({ id }) => id));
    this.#made = wanted.filter(isMade).map((track) => ({
      of: track.id,
      rendition: stream.acquireRendition(track.id, requestOf(track)!),
      track: undefined,
    }));
    for (const one of this.#made) this.#follow(one);
    this.#open(stream);
  }

  #follow(one: Made): void {
    const { track, failed, trouble } = one.rendition;
    const isHeld = () => this.#made.includes(one);
    const fail = (reason: string) => {
      if (!isHeld()) return;
      this.#failure = reason;
      this.#listener.changed();
    };
    track.then(
      (shown) => isHeld() && this.#show(one, shown),
      (error: Error) => fail(error.message),
    );
    void failed.then(fail);
    void trouble.then((reason) => {
      if (!isHeld() || one.track) return;
      this.#trouble = reason;
      this.#listener.changed();
    });
  }

  /** The maker says what a rendition is, or it is in another format from now on. */
  #show(one: Made, track: Track): void {
    const isNew = one.track === undefined;
    one.track = track;
    if (!isNew) return;
    this.#trouble = undefined;
    this.#listener.changed();
  }

  #open(stream: Stream): void {
    const ids = this.#ids();
    if (ids.length === 0 || stream.state === 'ended') return;
    const { id, remote } = this.#info;
    const { clock, readerLimits: limits } = this.#hub.options;
    // It makes no bytes that could be shared: what is written goes on as it is.
    this.#isReplaying = true;
    const feed = stream.feed(`composition:${id}`, ids, () => ({ write: (unit) => this.#write(unit) }));
    this.#isReplaying = false;
    const reader: Reader = new Reader({
      ...{ id, remote, clock, limits, door: 'composition' },
      transport: { write() {}, backlog: 0, onDrain() {}, close() {} },
      onClose: () => feed.detach(reader),
    });
    this.#reader = reader;
    feed.attach(reader);
    if (this.#made.length > 0) stream.requestKeyframe(ids);
  }

  #write(unit: AccessUnit): void {
    const counters = this.#reader?.counters;
    if (counters) {
      counters.units++;
      counters.bytes += payloadSize(unit);
    }
    const made = this.#made.find(({ rendition }) => rendition.id === unit.track.id);
    if (made && made.track !== unit.track) this.#show(made, unit.track);
    this.#listener.unit(unit, this.#isReplaying);
  }

  #ids(): number[] {
    return [...this.#copied, ...this.#made.map(({ rendition }) => rendition.id)];
  }

  /** Reads nothing, and holds nothing. */
  #forget(reason: string): void {
    this.#leave(reason);
    const made = this.#made;
    this.#made = [];
    this.#copied = new Set();
    this.#failure = undefined;
    this.#trouble = undefined;
    for (const { rendition } of made) rendition.release();
  }

  #leave(reason: string): void {
    const reader = this.#reader;
    this.#reader = undefined;
    reader?.close(reason);
  }
}

/** It is what it is to be made, as far as that is said. */
function isAlready({ format }: Track, request: RenditionRequest): boolean {
  const { codec, hardware: _, ...more } = request;
  if (format.codec !== codec) return false;
  const wishes = Object.entries(more).filter(([, value]) => value !== undefined);
  return wishes.every(
    ([key, value]) =>
      format.kind === 'audio' && (key === 'sampleRate' || key === 'channels') && format[key] === value,
  );
}
