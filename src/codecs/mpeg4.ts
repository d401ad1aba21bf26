import type { VideoFormat } from '#media/track.ts';
import { BitReader } from '#util/bits.ts';

/** Start code values of MPEG-4 part 2 (ISO/IEC 14496-2 table 6-3). */
const VISUAL_OBJECT_SEQUENCE = 0xb0;
const GROUP_OF_VOP = 0xb3;
const VOP = 0xb6;
const FIRST_LAYER = 0x20;
const LAST_LAYER = 0x2f;
const PREFIX = '\0\0\u0001';

const RECTANGULAR = 0;
const EXTENDED_PIXEL_ASPECT = 15;

/** Where a start code stands that the test takes; -1 where none does. Never throws. */
function find(bytes: Buffer, wanted: (code: number) => boolean): number {
  for (let at = bytes.indexOf(PREFIX, 0, 'latin1'); at >= 0; at = bytes.indexOf(PREFIX, at + 3, 'latin1')) {
    const code = bytes[at + 3];
    if (code !== undefined && wanted(code)) return at;
  }
  return -1;
}

/** The headers in front of the first picture (visual object sequence, visual object, layer); empty where there are none. */
export function mpeg4Configuration(bytes: Buffer): Buffer {
  if (find(bytes, isLayer) < 0) return Buffer.alloc(0);
  const picture = find(bytes, (code) => code === GROUP_OF_VOP || code === VOP);
  return picture < 0 ? bytes : bytes.subarray(0, picture);
}

/** How a picture is coded (vop_coding_type, table 6-20); undefined where there is none. */
export function mpeg4PictureType(bytes: Buffer): 'I' | 'P' | 'B' | 'S' | undefined {
  const at = find(bytes, (code) => code === VOP);
  const first = at < 0 ? undefined : bytes[at + 4];
  return first === undefined ? undefined : (['I', 'P', 'B', 'S'] as const)[first >> 6];
}

/**
 * The format of an MPEG-4 part 2 track. Its parameter sets are one piece, with start codes, as RTP (`config` of RFC 6416)
 * and files have it; none while it is unknown.
 */
export function mpeg4Format(configuration: Buffer): VideoFormat {
  const size = layerSize(configuration);
  const at = find(configuration, (code) => code === VISUAL_OBJECT_SEQUENCE);
  // Without the sequence's header nothing says the profile: simple is what nearly all encoders make.
  const profile = (at < 0 ? undefined : configuration[at + 4]) ?? 1;
  return {
    kind: 'video',
    codec: 'mpeg4',
    parameterSets: size ? [configuration] : [],
    ...{ width: size?.width ?? 0, height: size?.height ?? 0 },
    codecString: size ? `mp4v.20.${profile}` : '',
  };
}

function isLayer(code: number): boolean {
  return code >= FIRST_LAYER && code <= LAST_LAYER;
}

/** Size in the video object layer (section 6.2.3); undefined where it is broken, or of another shape than a rectangle. */
function layerSize(bytes: Buffer): { readonly width: number; readonly height: number } | undefined {
  const at = find(bytes, isLayer);
  if (at < 0) return undefined;
  const bits = new BitReader(bytes.subarray(at + 4));
  bits.skip(9); // random_accessible_vol, video_object_type_indication
  let version = 1;
  if (bits.flag()) {
    version = bits.read(4);
    bits.skip(3); // priority
  }
  if (bits.read(4) === EXTENDED_PIXEL_ASPECT) bits.skip(16);
  if (bits.flag()) {
    bits.skip(3); // chroma_format, low_delay
    if (bits.flag()) bits.skip(79); // vbv parameters
  }
  const shape = bits.read(2);
  if (shape === 3 && version !== 1) bits.skip(4);
  bits.skip(1);
  const resolution = bits.read(16);
  bits.skip(1);
  if (bits.flag()) bits.skip(Math.max(1, Math.ceil(Math.log2(resolution))));
  if (shape !== RECTANGULAR) return undefined;
  bits.skip(1);
  const width = bits.read(13);
  bits.skip(1);
  const height = bits.read(13);
  return bits.overrun || width === 0 || height === 0 ? undefined : { width, height };
}
