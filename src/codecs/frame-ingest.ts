import type { VideoFormat, VideoTrack } from '#media/track.ts';
import {
  av1Format,
  hasAv1Frame,
  isAv1Keyframe,
  isMedia,
  OBU,
  obuType,
  parseAv1SequenceHeader,
} from './av1.ts';
import type { IngestedPicture, PictureIngest } from './ingest-contract.ts';
import { mpeg4Configuration, mpeg4Format, mpeg4PictureType } from './mpeg4.ts';
import { sameNals } from './nal.ts';
import { parseVp8Frame, vp8Format } from './vp8.ts';
import { parseVp9Frame, vp9Format } from './vp9.ts';

/** What a payload turned out to be. */
interface Look {
  /** What it says of the format. */
  readonly format?: VideoFormat | undefined;
  readonly picture?: { readonly keyframe: boolean; readonly payload: Buffer[] };
}

/** `format`: as it is known so far. Undefined for what cannot be read. */
type Reader = (payload: readonly Buffer[], format: VideoFormat) => Look | undefined;

const READERS: Record<'av1' | 'vp8' | 'vp9' | 'mpeg4', Reader> = {
  ...{ av1: readAv1, vp8: readVp8, vp9: readVp9, mpeg4: readMpeg4 },
};
const NOTHING = Buffer.alloc(0);

/**
 * Pictures of AV1, VP9 and VP8: what is decoded before it is shown travels inside the unit of the picture that is shown,
 * so units come in order of presentation and decoding times are presentation times. MPEG-4 part 2 comes so too, except
 * for B-VOPs, whose decoding time has to be said.
 */
export class FrameIngest implements PictureIngest {
  dropped = 0;
  readonly #read: Reader;
  #track: VideoTrack;

  constructor(track: VideoTrack, codec: keyof typeof READERS) {
    this.#read = READERS[codec];
    this.#track = track;
  }

  get track(): VideoTrack {
    return this.#track;
  }

  push(payload: readonly Buffer[], pts: number, decodedAt = pts): IngestedPicture | undefined {
    const look = this.#read(payload, this.#track.format);
    if (!look) this.dropped++;
    if (look?.format) this.#learn(look.format);
    return look?.picture && { ...look.picture, track: this.#track, dts: Math.min(decodedAt, pts) };
  }

  #learn(format: VideoFormat): void {
    const { codecString, width, height, parameterSets } = this.#track.format;
    const isSame =
      format.codecString === codecString &&
      format.width === width &&
      format.height === height &&
      sameNals(format.parameterSets, parameterSets);
    if (!isSame) this.#track = { ...this.#track, format };
  }
}

/** Units with their sizes; a keyframe has its sequence header in front, as a decoder needs it. */
function readAv1(payload: readonly Buffer[], format: VideoFormat): Look {
  const obus = payload.filter((obu) => isMedia(obuType(obu)));
  const header = obus.findLast((obu) => obuType(obu) === OBU.sequenceHeader);
  const isNew = header !== undefined && !header.equals(format.parameterSets[0] ?? NOTHING);
  // A copy: the format outlives the receive buffer that this is a slice of.
  const learned = isNew && parseAv1SequenceHeader(header) ? av1Format(Buffer.from(header)) : undefined;
  if (!hasAv1Frame(obus)) return { format: learned };
  const [known] = (learned ?? format).parameterSets;
  const isStill = known !== undefined && parseAv1SequenceHeader(known)?.reducedStillPicture === true;
  // Without a sequence header nobody can start here.
  const keyframe = known !== undefined && isAv1Keyframe(obus, isStill);
  return { format: learned, picture: { keyframe, payload: keyframe && !header ? [known, ...obus] : obus } };
}

function readVp9([frame = NOTHING]: readonly Buffer[]): Look | undefined {
  const info = parseVp9Frame(frame);
  const picture = info && { keyframe: info.keyframe, payload: [frame] };
  return picture && { format: info.sequence && vp9Format(info), picture };
}

function readVp8([frame = NOTHING]: readonly Buffer[]): Look | undefined {
  const info = parseVp8Frame(frame);
  const picture = info && { keyframe: info.keyframe, payload: [frame] };
  return picture && { format: info.keyframe ? vp8Format(info.width, info.height) : undefined, picture };
}

/** A keyframe has its headers in front, as a decoder needs them. */
function readMpeg4([frame = NOTHING]: readonly Buffer[], format: VideoFormat): Look | undefined {
  const type = mpeg4PictureType(frame);
  const found = mpeg4Configuration(frame);
  const [before] = format.parameterSets;
  // A copy: the format outlives the receive buffer that this is a slice of.
  const isNew = found.length > 0 && !found.equals(before ?? NOTHING);
  const learned = isNew ? mpeg4Format(Buffer.from(found)) : undefined;
  if (type === undefined) return found.length > 0 ? { format: learned } : undefined;
  const [known] = (learned ?? format).parameterSets;
  const keyframe = type === 'I' && known !== undefined;
  const payload = keyframe && found.length === 0 ? [known, frame] : [frame];
  return { format: learned, picture: { keyframe, payload } };
}
