import type { VideoFormat, VideoTrack } from '#media/track.ts';
import { BitReader } from '#util/bits.ts';
import { H264, h264Format, h264NalType, isH264Keyframe, parseH264Sps } from './h264.ts';
import { H265, h265Format, h265NalType, isH265Keyframe, parseH265Sps } from './h265.ts';
import type { IngestedPicture, PictureIngest } from './ingest-contract.ts';
import { type SequenceInfo, sameNals } from './nal.ts';
import { DecodingTimes } from './reorder.ts';

/** What differs between H.264 and H.265. */
interface NalRules {
  readonly type: (nal: Buffer) => number;
  readonly isSlice: (type: number) => boolean;
  /** In the order in which they stand in front of a keyframe. */
  readonly parameterSets: readonly number[];
  readonly superfluous: ReadonlySet<number>;
  readonly isKeyframe: (nals: readonly Buffer[]) => boolean;
  readonly format: (parameterSets: readonly Buffer[]) => VideoFormat;
  readonly info: (sps: Buffer) => SequenceInfo | undefined;
  readonly sps: number;
}

const RULES: Record<'h264' | 'h265', NalRules> = {
  h264: {
    type: h264NalType,
    isSlice: (type) => type >= H264.slice && type <= H264.idr,
    parameterSets: [H264.sps, H264.pps],
    superfluous: new Set([H264.aud, H264.filler, H264.endOfSequence, H264.endOfStream, 0]),
    isKeyframe: isH264Keyframe,
    format: h264Format,
    info: parseH264Sps,
    sps: H264.sps,
  },
  h265: {
    type: h265NalType,
    isSlice: (type) => type < H265.vps,
    parameterSets: [H265.vps, H265.sps, H265.pps],
    superfluous: new Set([H265.aud, H265.filler, 36, 37]),
    isKeyframe: isH265Keyframe,
    format: h265Format,
    info: parseH265Sps,
    sps: H265.sps,
  },
};

/**
 * Puts H.264 and H.265 access units into the form that the hub promises: parameter sets in front of each keyframe, none
 * of what is superfluous (access unit delimiters, filler), a new Track when the parameter sets change, decoding times.
 */
export class NalIngest implements PictureIngest {
  /** Pictures left out because they had no place in decoding order. */
  dropped = 0;
  readonly #rules: NalRules;
  #track: VideoTrack;
  #times: DecodingTimes;

  /** `track` with its parameter sets where the SDP or a container told them. */
  constructor(track: VideoTrack, codec: 'h264' | 'h265') {
    this.#rules = RULES[codec];
    this.#track = track;
    const info = this.#info();
    this.#times = new DecodingTimes(info?.maxReorderFrames ?? 0, pictureInterval(info, track.clockRate));
  }

  get track(): VideoTrack {
    return this.#track;
  }

  /** Also undefined for a picture that has no place in decoding order (see DecodingTimes). */
  push(nals: readonly Buffer[], pts: number, decodedAt?: number): IngestedPicture | undefined {
    const sets: Buffer[] = [];
    const rest: Buffer[] = [];
    let hasSlice = false;
    for (const nal of nals) {
      const type = this.#rules.type(nal);
      if (this.#rules.parameterSets.includes(type)) sets.push(nal);
      else if (nal.length > 0 && !this.#rules.superfluous.has(type)) {
        rest.push(nal);
        hasSlice ||= this.#rules.isSlice(type);
      }
    }
    if (sets.length > 0) this.#learn(sets);
    if (!hasSlice) return undefined;
    // Without parameter sets nobody can start here, whatever kind of picture it is.
    const keyframe = this.#track.format.codecString !== '' && this.#rules.isKeyframe(rest);
    const dts = decodedAt ?? this.#times.next(pts);
    if (dts === undefined) {
      this.dropped++;
      return undefined;
    }
    const payload = keyframe ? [...this.#track.format.parameterSets, ...rest] : [...sets, ...rest];
    return { track: this.#track, dts, keyframe, payload };
  }

  /** Takes over parameter sets; those of a type that does not occur among them stay as they are. */
  #learn(sets: readonly Buffer[]): void {
    const current = this.#track.format.parameterSets;
    const next: Buffer[] = [];
    for (const type of this.#rules.parameterSets) {
      const known = current.filter((nal) => this.#rules.type(nal) === type);
      const fresh = unique(sets.filter((nal) => this.#rules.type(nal) === type));
      next.push(...(fresh.length === 0 ? known : merge(this.#rules, known, fresh)));
    }
    if (sameNals(current, next)) return;
    // Copies: the format outlives the receive buffers that these are slices of.
    const format = this.#rules.format(next.map((nal) => Buffer.from(nal)));
    this.#track = { ...this.#track, format };
    const info = this.#info();
    if (info?.maxReorderFrames !== undefined) this.#times.setDepth(info.maxReorderFrames);
  }

  #info(): SequenceInfo | undefined {
    const sps = this.#track.format.parameterSets.find((nal) => this.#rules.type(nal) === this.#rules.sps);
    return sps && this.#rules.info(sps);
  }
}

/** Ticks of one picture: by the timing information where it is credible, else 25 per second. */
function pictureInterval(info: SequenceInfo | undefined, clockRate: number): number {
  const fps = info?.fps;
  return Math.round(clockRate / (fps !== undefined && fps >= 1 && fps <= 240 ? fps : 25));
}

function unique(nals: readonly Buffer[]): Buffer[] {
  return nals.filter((nal, i) => nals.findIndex((other) => other.equals(nal)) === i);
}

/**
 * A PPS that comes alone replaces the one with the same id, which stands in its first bits; streams with several PPS
 * may repeat only one of them. SPS and VPS come whole: a new one replaces all.
 */
function merge(rules: NalRules, known: readonly Buffer[], fresh: readonly Buffer[]): Buffer[] {
  const [first] = fresh;
  const pps = rules.parameterSets[rules.parameterSets.length - 1];
  if (!first || rules.type(first) !== pps) return [...fresh];
  const header = rules === RULES.h264 ? 1 : 2;
  const id = (nal: Buffer) => ppsId(nal, header);
  const replaced = known.map((nal) => fresh.find((other) => id(other) === id(nal)) ?? nal);
  return [...replaced, ...fresh.filter((nal) => !replaced.includes(nal))].slice(0, 255);
}

function ppsId(nal: Buffer, header: number): number {
  return new BitReader(nal.subarray(header, header + 8)).ue();
}
