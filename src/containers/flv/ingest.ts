import { aacFormat, aacFrameDuration } from '#codecs/aac.ts';
import { AC3_FRAME_SAMPLES, ac3Format, parseAc3Frame } from '#codecs/ac3.ts';
import { pcmaFormat, pcmuFormat } from '#codecs/g711.ts';
import { VideoIngest } from '#codecs/ingest.ts';
import { mp3Format, parseMp3Header } from '#codecs/mp3.ts';
import { opusFormat, opusPacketDuration } from '#codecs/opus.ts';
import type { AccessUnit } from '#media/access-unit.ts';
import { type ClockState, StreamClock } from '#media/clock-mapping.ts';
import type { AudioFormat, AudioTrack, Track, VideoTrack } from '#media/track.ts';
import { isAmfObject } from '#util/amf-value.ts';
import { parseAmf0 } from '#util/amf0.ts';
import type { Clock } from '#util/clock.ts';
import { parseCaptureTime } from './capture-time.ts';
import { MessageTime } from './message-time.ts';
import { SoundClock } from './sound-clock.ts';
import { type AudioTag, parseAudioTag, parseVideoTag, type VideoTag } from './tags.ts';
import { isSelfDescribing, type VideoCoding, videoCoding } from './video-coding.ts';
import { FlvTagType } from './write.ts';

const VIDEO_ID = 0;
const AUDIO_ID = 1;
/**
 * Ms that everything is gathered: encoders begin with a burst of what they have, so the first units arrive later than
 * what follows, and the capture clock would run past readers while it finds that out.
 */
const SETTLE_MS = 100;
/** Ms of media after which a publisher that has shown only picture or only sound is taken to have no more. */
const GATHER_MS = 1000;
/** The same as bytes that are kept meanwhile, whatever the timestamps say. */
const GATHER_MAX_BYTES = 4 << 20;

/** A message of RTMP, or a tag of FLV. */
export interface FlvMessage {
  /** `FlvTagType`. */
  readonly type: number;
  /** Milliseconds modulo 2^32. */
  readonly timestamp: number;
  readonly payload: Buffer;
}

/** What the units go to: a publication of the hub. */
export interface FlvPublication {
  write(unit: AccessUnit): void;
  close(reason: string): void;
}

export interface FlvIngestOptions {
  readonly clock: Clock;
  /** Begins to publish these tracks; called once more when other ones come. May throw a NamedError. */
  readonly publish: (tracks: readonly Track[]) => FlvPublication;
}

/**
 * What comes in FLV from one publisher becomes a stream: published as soon as picture and sound have said what they are.
 * Both have one clock of milliseconds, so they are in step by it and by nothing else (R1).
 */
export class FlvIngest {
  readonly #options: FlvIngestOptions;
  readonly #streamClock = new StreamClock().track(0, 1000);
  readonly #time = new MessageTime();
  /** Of the clock by which the publisher says when it captured. */
  #clockName: string | undefined;
  #publication: FlvPublication | undefined;
  #video:
    | {
        readonly codec: VideoTag['codec'];
        readonly ingest: VideoIngest;
        readonly split: VideoCoding['split'];
        readonly record: Buffer;
      }
    | undefined;
  #lastDts: number | undefined;
  #audio: { readonly track: AudioTrack; readonly clock: SoundClock } | undefined;
  /** Kinds that `onMetaData` promises; undefined without one. */
  #promised: { readonly video: boolean; readonly audio: boolean } | undefined;
  #gathered: AccessUnit[] = [];
  #gatheredBytes = 0;
  #gatherFrom: number | undefined;
  /** Our clock when the first unit came. */
  #began: number | undefined;
  #closed = false;

  constructor(options: FlvIngestOptions) {
    this.#options = options;
  }

  get published(): boolean {
    return this.#publication !== undefined;
  }

  /** How the clock of its tracks runs, by their ids; none where the publisher does not say when it captured. */
  get clocks(): readonly (ClockState & { readonly track: number })[] {
    const name = this.#clockName;
    if (name === undefined) return [];
    const ids = [...(this.#video ? [VIDEO_ID] : []), ...(this.#audio ? [AUDIO_ID] : [])];
    return ids.map((track) => ({ track, ...this.#streamClock.state, name }));
  }

  /** @throws NamedError CODEC_UNSUPPORTED, AMF_INVALID, and what `publish` throws */
  receive({ type, payload, timestamp }: FlvMessage): void {
    if (this.#closed) return;
    if (type === FlvTagType.script) return this.#data(payload, timestamp);
    if (type === FlvTagType.video) {
      const tag = parseVideoTag(payload);
      if (tag) this.#picture(tag, timestamp);
    } else {
      const tag = parseAudioTag(payload);
      if (tag) this.#sound(tag, timestamp);
    }
  }

  /** The publisher is gone. Idempotent. */
  close(reason: string): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#publication?.close(reason);
  }

  #data(payload: Buffer, timestamp: number): void {
    const said = parseCaptureTime(payload);
    if (said) {
      this.#clockName = said.clock;
      this.#streamClock.report(this.#time.unwrap(timestamp), said.ntp, this.#options.clock.now());
      return;
    }
    const values = parseAmf0(payload);
    const at = values.indexOf('onMetaData');
    const about = at < 0 ? undefined : values[at + 1];
    if (!isAmfObject(about)) return;
    const tells = 'videocodecid' in about || 'audiocodecid' in about;
    if (tells) this.#promised = { video: !!about['videocodecid'], audio: !!about['audiocodecid'] };
  }

  #picture(tag: VideoTag, timestamp: number): void {
    if (tag.kind === 'config') return this.#configureVideo(tag);
    if (this.#video?.codec !== tag.codec && isSelfDescribing(tag.codec)) {
      this.#configureVideo({ codec: tag.codec, data: Buffer.alloc(0) });
    }
    const video = this.#video;
    if (video?.codec !== tag.codec) return;
    const ms = this.#time.unwrap(timestamp);
    let dts = ms * 90;
    const pts = (ms + tag.compositionTime) * 90;
    // Two pictures in one millisecond: the later one is decoded a tick later.
    if (this.#lastDts === dts && pts > dts) dts++;
    const picture = video.ingest.push(video.split(tag.data), pts, Math.min(dts, pts));
    if (!picture) return;
    this.#lastDts = dts;
    const capture = this.#streamClock.captureAt(ms, this.#options.clock.now()) + tag.compositionTime;
    this.#give({ ...picture, pts, ntp: capture });
  }

  #configureVideo({ codec, data }: Pick<VideoTag, 'codec' | 'data'>): void {
    const isSame = this.#video?.codec === codec;
    if (isSame && this.#video?.record.equals(data)) return;
    const { format, split } = videoCoding(codec, data);
    // It says nothing that the keyframes did not say already.
    if (isSame && isSelfDescribing(codec) && format.width === 0) return;
    const track: VideoTrack = { id: VIDEO_ID, clockRate: 90_000, format };
    const isOther = this.#video !== undefined && !isSame;
    const isLate = this.#video === undefined && this.published;
    this.#video = { codec, ingest: new VideoIngest(track), split, record: Buffer.from(data) };
    if (isOther || isLate) this.#republish();
  }

  #sound(tag: AudioTag, timestamp: number): void {
    const data = tag.data;
    // Every frame of AC-3 says how it is coded.
    if (tag.kind === 'config' || !this.#audio || tag.codec === 'ac3') {
      const format = audioFormat(tag);
      if (format) this.#configureAudio(format);
    }
    if (tag.kind === 'config' || !this.#audio || data.length === 0) return;
    const { track, clock } = this.#audio;
    if (track.format.codec !== tag.codec) return;
    const pts = clock.place(this.#time.unwrap(timestamp), frameDuration(track.format, data));
    if (pts === undefined) return;
    const ntp = this.#streamClock.captureAt((pts * 1000) / track.clockRate, this.#options.clock.now());
    this.#give({ track, pts, dts: pts, keyframe: true, ntp, payload: [data] });
  }

  #configureAudio(format: AudioFormat): void {
    const before = this.#audio?.track.format;
    if (before?.codec === format.codec && before.config.equals(format.config)) return;
    const track: AudioTrack = { id: AUDIO_ID, clockRate: format.sampleRate, format };
    const isSameClock = before?.codec === format.codec && before.sampleRate === format.sampleRate;
    const clock = isSameClock && this.#audio ? this.#audio.clock : new SoundClock(track.clockRate);
    this.#audio = { track, clock };
    if (this.published && !isSameClock) this.#republish();
  }

  #give(unit: AccessUnit): void {
    if (this.#publication) return this.#publication.write(unit);
    this.#gathered.push(unit);
    for (const part of unit.payload) this.#gatheredBytes += part.length;
    const at = (unit.dts * 1000) / unit.track.clockRate;
    this.#gatherFrom ??= at;
    const now = this.#options.clock.now();
    this.#began ??= now;
    if (now - this.#began < SETTLE_MS && this.#gatheredBytes < GATHER_MAX_BYTES) return;
    const promised = this.#promised;
    const isComplete =
      (this.#video !== undefined && this.#audio !== undefined) ||
      (promised !== undefined &&
        promised.video === (this.#video !== undefined) &&
        promised.audio === (this.#audio !== undefined));
    if (isComplete || at - this.#gatherFrom >= GATHER_MS || this.#gatheredBytes >= GATHER_MAX_BYTES)
      this.#publish();
  }

  /** Another set of tracks: readers that can go on with it do. */
  #republish(): void {
    this.#publication?.close('The publisher sends other tracks now.');
    this.#publication = undefined;
    this.#publish();
  }

  #publish(): void {
    const tracks = [this.#video?.ingest.track, this.#audio?.track].filter((track) => track !== undefined);
    this.#publication = this.#options.publish(tracks);
    const units = this.#gathered;
    this.#gathered = [];
    // All by what the clock says by now: it has moved while they were gathered.
    const last = units.at(-1);
    const lead = last && last.ntp - (last.pts * 1000) / last.track.clockRate;
    for (const unit of units) {
      const ntp = (lead ?? 0) + (unit.pts * 1000) / unit.track.clockRate;
      this.#publication.write({ ...unit, ntp });
    }
  }
}

/** What a tag says of its format; undefined while that is not known. */
function audioFormat(tag: AudioTag): AudioFormat | undefined {
  switch (tag.codec) {
    case 'aac':
      return tag.kind === 'config' && tag.data.length >= 2 ? aacFormat(Buffer.from(tag.data)) : undefined;
    case 'opus':
      return opusFormat(tag.kind === 'config' ? (tag.data[9] ?? 2) : 2);
    case 'ac3': {
      const info = tag.kind === 'frame' ? parseAc3Frame(tag.data) : undefined;
      return info && ac3Format(info);
    }
    case 'mp3': {
      const header = tag.kind === 'frame' ? parseMp3Header(tag.data) : undefined;
      return header && mp3Format(header.sampleRate, header.channels);
    }
    case 'pcma':
      return pcmaFormat();
    case 'pcmu':
      return pcmuFormat();
  }
}

/** Ticks that a frame lasts. */
function frameDuration(format: AudioFormat, frame: Buffer): number {
  if (format.codec === 'aac') return aacFrameDuration(format, format.sampleRate);
  if (format.codec === 'opus') return opusPacketDuration(frame);
  if (format.codec === 'ac3') return AC3_FRAME_SAMPLES;
  if (format.codec === 'mp3') return parseMp3Header(frame)?.samples ?? 1152;
  return frame.length / format.channels;
}
