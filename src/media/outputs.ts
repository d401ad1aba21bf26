import { makesPictures, type RenditionCodec, type RenditionRequest } from './rendition-request.ts';
import type { AudioCodec, Track, VideoCodec } from './track.ts';

/** Files that can be written, by what their names end in. */
export type FileKind = 'mp4' | 'mov' | 'm4a' | 'mkv' | 'webm' | 'ts' | 'flv' | 'mp3' | 'aac' | 'ogg' | 'wav';

/** Where media can go: by a protocol, into another stream of this server, or into a file. */
export type OutputKind = 'rtsp' | 'rtmp' | 'whip' | 'mpegts' | 'stream' | FileKind;

/** What an output can carry. */
interface OutputRules {
  /** As sentences call it. */
  readonly name: string;
  /** The first of each list is what is made where nothing else is wished for. */
  readonly video: readonly VideoCodec[];
  readonly audio: readonly AudioCodec[];
  /** Hz, for codecs of which it takes some rates only. */
  readonly sampleRates?: Partial<Readonly<Record<AudioCodec, readonly number[]>>>;
}

const G711: readonly AudioCodec[] = ['pcma', 'pcmu'];
/** FLV numbers the rates of MP3 (annex E.4.2.1), and has no number for the others. */
const FLV_RATES = { mp3: [44_100, 22_050, 11_025] } as const;

/**
 * The one truth of which codec goes where: forwards, muxers, jobs and `docs/codecs.md` are held to it by
 * `test/unit/outputs.test.ts`.
 */
export const OUTPUTS: Readonly<Record<OutputKind, OutputRules>> = {
  rtsp: {
    name: 'RTSP',
    video: ['h264', 'h265', 'av1', 'vp9', 'vp8', 'mpeg4'],
    audio: ['aac', 'opus', 'ac3', ...G711, 'mp3'],
  },
  rtmp: {
    name: 'RTMP',
    video: ['h264', 'h265', 'av1', 'vp9', 'vp8'],
    audio: ['aac', 'opus', 'ac3', ...G711, 'mp3'],
    sampleRates: FLV_RATES,
  },
  whip: {
    name: 'WHIP',
    video: ['h264', 'h265'],
    audio: ['opus', ...G711],
    sampleRates: { pcma: [8000], pcmu: [8000] },
  },
  mpegts: { name: 'MPEG-TS', video: ['h264', 'h265', 'mpeg4'], audio: ['aac', 'ac3', 'mp3', 'opus'] },
  stream: {
    name: 'A stream of this server',
    video: ['h264', 'h265', 'av1', 'vp9', 'vp8', 'mpeg4', 'mjpeg'],
    audio: ['aac', 'opus', 'ac3', ...G711, 'mp3'],
  },
  mp4: { name: 'MP4', video: ['h264', 'h265', 'av1', 'vp9', 'mpeg4'], audio: ['aac', 'opus', 'ac3', 'mp3'] },
  mov: { name: 'MOV', video: ['h264', 'h265', 'mpeg4'], audio: ['aac', 'ac3', 'mp3', ...G711] },
  m4a: { name: 'M4A', video: [], audio: ['aac'] },
  mkv: {
    name: 'Matroska',
    video: ['h264', 'h265', 'av1', 'vp9', 'vp8', 'mpeg4'],
    audio: ['aac', 'opus', 'ac3', ...G711, 'mp3'],
  },
  webm: { name: 'WebM', video: ['vp9', 'vp8', 'av1'], audio: ['opus'] },
  ts: { name: 'MPEG-TS', video: ['h264', 'h265', 'mpeg4'], audio: ['aac', 'ac3', 'mp3', 'opus'] },
  flv: {
    name: 'FLV',
    // Of files in Enhanced FLV most players know nothing.
    video: ['h264'],
    audio: ['aac', 'mp3', ...G711],
    sampleRates: { ...FLV_RATES, pcma: [8000], pcmu: [8000] },
  },
  mp3: { name: 'MP3', video: [], audio: ['mp3'] },
  aac: { name: 'ADTS', video: [], audio: ['aac'] },
  ogg: { name: 'Ogg', video: [], audio: ['opus'] },
  wav: { name: 'WAV', video: [], audio: ['pcma', 'pcmu'] },
};

const NAMES: Readonly<Record<VideoCodec | AudioCodec, string>> = {
  ...{
    h264: 'H.264',
    h265: 'H.265',
    av1: 'AV1',
    vp9: 'VP9',
    vp8: 'VP8',
    mpeg4: 'MPEG-4 part 2',
    mjpeg: 'MJPEG',
  },
  ...{ aac: 'AAC', opus: 'Opus', ac3: 'AC-3', pcma: 'G.711 (A-law)', pcmu: 'G.711 (µ-law)', mp3: 'MP3' },
};

/** Why an output cannot carry a track as it is, and what it can, in a sentence; undefined where it can. */
export function refusal(output: OutputKind, { format }: Track): string | undefined {
  const rules = OUTPUTS[output];
  if (format.kind === 'data') return `${rules.name} carries no data tracks.`;
  const codecs: readonly string[] = rules[format.kind];
  const what = format.kind === 'video' ? 'picture' : 'sound';
  if (codecs.length === 0) return `${rules.name} carries no ${what}.`;
  const name = NAMES[format.codec];
  if (!codecs.includes(format.codec)) {
    return `${rules.name} cannot carry ${name}; it can carry ${codecs.map((codec) => NAMES[codec as VideoCodec]).join(', ')}.`;
  }
  if (format.kind === 'video') return undefined;
  const rates = rules.sampleRates?.[format.codec];
  if (!rates || rates.includes(format.sampleRate)) return undefined;
  return `${rules.name} cannot carry ${name} of ${format.sampleRate} Hz; it can carry ${rates.join(', ')} Hz.`;
}

/**
 * What a track has to be made so that an output carries it, or so that it is what is wished for and the output carries
 * that; undefined where nothing has to be made of it.
 * @param wish what is to be made anyway; see {@link fittedWish}
 * @throws RangeError with a sentence where the output can carry nothing of the kind, or not what is wished for
 */
export function requestFor(
  output: OutputKind,
  track: Track,
  wish?: RenditionRequest,
): RenditionRequest | undefined {
  if (wish) return fittedWish(output, wish);
  const why = refusal(output, track);
  if (why === undefined) return undefined;
  const codec = firstMade(output, track);
  if (codec === undefined) throw new RangeError(why);
  return fittedWish(output, { codec });
}

/**
 * What is wished for, with what the output demands where the wish says nothing of it: MP3 for RTMP is made at 44.1 kHz.
 * @throws RangeError with a sentence where the output cannot carry it
 */
export function fittedWish(output: OutputKind, wish: RenditionRequest): RenditionRequest {
  const wrong = refusalOfWish(output, wish);
  if (wrong !== undefined) throw new RangeError(wrong);
  const { codec, sampleRate } = wish;
  if (makesPictures(codec) || sampleRate !== undefined) return wish;
  const rate = OUTPUTS[output].sampleRates?.[codec]?.[0];
  return rate === undefined ? wish : { ...wish, sampleRate: rate };
}

/** Why an output cannot carry what is wished for, in a sentence; undefined where it can. */
export function refusalOfWish(
  output: OutputKind,
  { codec, sampleRate }: RenditionRequest,
): string | undefined {
  const rules = OUTPUTS[output];
  const codecs: readonly string[] = makesPictures(codec) ? rules.video : rules.audio;
  if (codecs.length === 0) return `${rules.name} carries no ${makesPictures(codec) ? 'picture' : 'sound'}.`;
  if (!codecs.includes(codec)) {
    return `${rules.name} cannot carry ${NAMES[codec]}; it can carry ${codecs.map((one) => NAMES[one as VideoCodec]).join(', ')}.`;
  }
  const rates = makesPictures(codec) ? undefined : rules.sampleRates?.[codec];
  if (sampleRate === undefined || !rates || rates.includes(sampleRate)) return undefined;
  return `${rules.name} cannot carry ${NAMES[codec]} of ${sampleRate} Hz; it can carry ${rates.join(', ')} Hz.`;
}

/** The first codec of an output that a track of this kind can be made. */
function firstMade(output: OutputKind, { format }: Track): RenditionCodec | undefined {
  if (format.kind === 'data') return undefined;
  const codecs: readonly (VideoCodec | AudioCodec)[] = OUTPUTS[output][format.kind];
  return codecs.find(isMade);
}

function isMade(codec: VideoCodec | AudioCodec): codec is RenditionCodec {
  return MADE.has(codec);
}

const MADE: ReadonlySet<string> = new Set<RenditionCodec>([
  ...(['aac', 'opus', 'mp3', 'pcma', 'pcmu'] as const),
  ...(['h264', 'h265', 'mpeg4'] as const),
]);

const SCHEMES: Readonly<Record<string, OutputKind>> = {
  ...{ rtsp: 'rtsp', rtsps: 'rtsp', rtmp: 'rtmp', rtmps: 'rtmp', srt: 'mpegts', udp: 'mpegts' },
  ...{ whip: 'whip', whips: 'whip', http: 'whip', https: 'whip', stream: 'stream' },
};

/** What kind of output an address, or the path of a file, is; undefined for what is none. */
export function outputKind(address: string): OutputKind | undefined {
  const scheme = /^([a-z][a-z0-9+.-]*):/i.exec(address)?.[1]?.toLowerCase();
  if (scheme === undefined || scheme === 'file') return fileKind(address);
  return Object.hasOwn(SCHEMES, scheme) ? SCHEMES[scheme] : undefined;
}

const FILE_KINDS: Readonly<Record<string, FileKind>> = {
  ...{ mp4: 'mp4', m4v: 'mp4', mov: 'mov', m4a: 'm4a', mkv: 'mkv', mka: 'mkv', webm: 'webm' },
  ...{ ts: 'ts', flv: 'flv', mp3: 'mp3', aac: 'aac', ogg: 'ogg', opus: 'ogg', wav: 'wav' },
};

/** Endings of names, in lower case and without the dot, of files that can be written. */
export const FILE_ENDINGS: readonly string[] = Object.keys(FILE_KINDS);

/** What kind of file a path names by its ending; undefined for endings that say nothing. */
export function fileKind(path: string): FileKind | undefined {
  const ending = /\.([a-z0-9]+)$/i.exec(path)?.[1]?.toLowerCase();
  return ending !== undefined && Object.hasOwn(FILE_KINDS, ending) ? FILE_KINDS[ending] : undefined;
}
