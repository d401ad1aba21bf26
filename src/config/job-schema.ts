import { z } from 'zod';
import { fingerprint, oneOf, section, wholeNumber, yesOrNo } from './fields.ts';
import { forwardKind } from './forward-schema.ts';
import { sourceKind } from './source.ts';

/**
 * `jobs.<name>`: a task of transport, by its `type`. Addresses stand as text, or as a map that says more about them; who
 * wrote an address stands beside it (`restricted`), as with `streams.<name>.forward`.
 */

/** A stream of this server, as jobs name it among addresses; the rest of the rule for names is the hub's. */
const STREAM = /^stream:([A-Za-z0-9._~-]+(?:\/[A-Za-z0-9._~-]+){0,7})$/i;

/** The name of a stream of this server that an address of a job leads to; undefined for all other addresses. */
export function streamOfAddress(address: string): string | undefined {
  return STREAM.exec(address)?.[1];
}

/** The path of a file that media are written to; undefined for addresses. */
export function pathOfOutput(address: string): string | undefined {
  return /^[a-z][a-z0-9+.-]*:/i.test(address) ? undefined : address;
}

const NAME = /^[A-Za-z0-9_~-][A-Za-z0-9._~-]{0,63}$/;

/** What is wrong with the name of a job, as the end of a sentence that begins with it; undefined when nothing is. */
export function jobNameTrouble(name: string): string | undefined {
  // Of all names this one is none in a map of JavaScript.
  if (NAME.test(name) && name !== '__proto__') return undefined;
  return 'is no name of a job: 1 to 64 letters, digits and . _ ~ -, not beginning with a dot';
}

const inputRule =
  'must be the path of a video file, a folder of them or a picture, an rtsp://, rtsps://, rtmp://, rtmps://, http://, https://, whep://, wheps://, srt:// or udp:// address, stream:<name> of this server, or testsrc';

const outputRule =
  'must be an rtsp://, rtsps://, rtmp://, rtmps://, srt://, udp://, whip://, whips:// or https://…/whip address, the path of a file, or stream:<name> of this server';

const inputUrl = z
  .string({ error: inputRule })
  .min(1, { error: inputRule })
  .refine((value) => streamOfAddress(value) !== undefined || sourceKind(value) !== undefined, {
    error: inputRule,
  });

const outputUrl = z
  .string({ error: outputRule })
  .min(1, { error: outputRule })
  .refine(
    (value) =>
      [streamOfAddress(value), pathOfOutput(value), forwardKind(value)].some((one) => one !== undefined),
    { error: outputRule },
  );

/** What may be said of an address on either side. */
const certificate = {
  fingerprint: fingerprint().optional().meta({
    title: 'Fingerprint',
    description: 'SHA-256 of the certificate that a server behind TLS has to show, whoever signed it.',
  }),
  insecure: yesOrNo().default(false).meta({
    title: 'Any certificate',
    description: 'Takes every certificate of a server behind TLS; `fingerprint` is better.',
  }),
};

const restricted = yesOrNo().default(false).meta({
  title: 'Restricted',
  description:
    'Stands where the API wrote the address: it may lead nowhere but where `sources` and `outputs` let the API lead. Take the key out to trust it as if it were yours.',
});

/** What the API takes and shows of an input; the file says more. */
export const spokenInput = {
  url: inputUrl.meta({ title: 'Address', description: 'As in the short form.' }),
  transport: oneOf('auto', 'tcp', 'udp').default('auto').meta({
    title: 'Transport',
    description: 'How the media of an `rtsp://` address come, as `streams.<name>.transport`.',
  }),
  ...certificate,
};

/** The same of an output. */
export const spokenOutput = {
  url: outputUrl.meta({ title: 'Address', description: 'As in the short form.' }),
  ...certificate,
};

const inputShape = section({ ...spokenInput, restricted }).refine(
  ({ url, transport }) => transport !== 'udp' || !/^rtsps:/i.test(url),
  {
    error: 'cannot be `udp` for an rtsps:// address, whose media come inside the encrypted connection',
    path: ['transport'],
  },
);
const outputShape = section({ ...spokenOutput, restricted });

const inputWords =
  'Where the media come from: whatever can be the `source` of a stream, or `stream:<name>`, a stream of this server, which is read as it is. An address, or a map with `url`, `transport`, `fingerprint` and `insecure`.';
const outputWords =
  'Where the media go: whatever a stream can be forwarded to, the path of a file (by its ending: `.mp4`, `.mkv`, `.ts`, `.flv`, `.mp3` …), or `stream:<name>`, a stream of this server. An address, or a map with `url`, `fingerprint` and `insecure`.';

const input = (title: string, more = '') =>
  z
    .union([inputUrl, inputShape], { error: `${inputRule}, or a map with \`url\`` })
    .transform((value) =>
      typeof value === 'string'
        ? { url: value, transport: 'auto' as const, insecure: false, restricted: false }
        : value,
    )
    .meta({ title, description: `${more}${inputWords}` });

const output = (title: string, more = '') =>
  z
    .union([outputUrl, outputShape], { error: `${outputRule}, or a map with \`url\`` })
    .transform((value) =>
      typeof value === 'string' ? { url: value, insecure: false, restricted: false } : value,
    )
    .meta({ title, description: `${more}${outputWords}` });

/** Outputs of one job: each is a connection, and a name to look up. */
const MOST_OUTPUTS = 64;

const common = {
  enabled: yesOrNo().default(true).meta({
    title: 'Enabled',
    description: 'When false, the job does not run. Stopping and starting it over the API is kept here.',
  }),
  loop: yesOrNo().default(false).meta({
    title: 'Loop',
    description:
      'Starts a file again at its end, with timestamps that go on. Otherwise the job ends with its input.',
  }),
};

const leftOut = {
  noVideo: yesOrNo().default(false).meta({ title: 'No picture', description: 'Only the sound is sent.' }),
  noAudio: yesOrNo().default(false).meta({ title: 'No sound', description: 'Only the picture is sent.' }),
};

const bothLeftOut = {
  error: 'cannot be true beside `noVideo`, because nothing would be left',
  path: ['noAudio'],
};

const kind = <const Type extends string>(type: Type) =>
  z.literal(type).meta({
    title: 'Type',
    description:
      '`push`: one input to one output. `split`: picture and sound of an input to outputs of their own. `merge`: picture and sound of two inputs to one output. `relay`: one input to several outputs. `transcode`: as `push`, in other codecs.',
  });

const push = section({
  type: kind('push'),
  input: input('Input'),
  output: output('Output'),
  ...leftOut,
  ...common,
}).refine(({ noVideo, noAudio }) => !noVideo || !noAudio, bothLeftOut);

const split = section({
  type: kind('split'),
  input: input('Input'),
  video: output('Output of the picture'),
  audio: output('Output of the sound'),
  ...common,
});

const merge = section({
  type: kind('merge'),
  video: input('Input of the picture'),
  audio: input('Input of the sound'),
  output: output('Output'),
  offset: wholeNumber(-60_000, 60_000).default(0).meta({
    title: 'Offset, milliseconds',
    description:
      'Moves the sound against the picture: 40 makes it come 40 ms later. The two are aligned by capture time where both tell it, else by arrival.',
  }),
  ...common,
});

const relay = section({
  type: kind('relay'),
  input: input('Input'),
  outputs: z
    .array(output('Output'), { error: 'must be a list of addresses' })
    .min(1, { error: 'must have at least one address' })
    .max(MOST_OUTPUTS, { error: `must have ${MOST_OUTPUTS} addresses at most` })
    .refine((list) => new Set(list.map(({ url }) => url)).size === list.length, {
      error: 'must not have the same address twice',
    })
    .meta({ title: 'Outputs', description: 'A list of addresses, each as `output`.' }),
  ...common,
});

const rateRule = 'must be bits per second, a number from 8000 to 200000000, or text such as 800k or 2.5M';

/** Bits per second; text may say `k` or `M`. */
const bitrate = z
  .union([z.number({ error: rateRule }), z.string({ error: rateRule })], { error: rateRule })
  .transform((value) => {
    const [, digits, unit = ''] = /^(\d+(?:\.\d+)?)([kM]?)$/.exec(String(value)) ?? [];
    return Math.round(Number(digits) * (unit === 'M' ? 1e6 : unit === 'k' ? 1e3 : 1));
  })
  .refine((value) => value >= 8000 && value <= 200_000_000, { error: rateRule });

const scaleRule = 'must be WIDTHxHEIGHT in even pixels up to 8192, such as 1280x720, 1280x or x720';
const scale = z.string({ error: scaleRule }).refine(
  (value) => {
    const { width, height } = parseScale(value);
    const given = [width, height].filter((one) => one !== undefined);
    return given.length > 0 && given.every((one) => one >= 16 && one <= 8192 && one % 2 === 0);
  },
  { error: scaleRule },
);

/** Pixels of `1280x720`, `1280x` and `x720`; nothing where a text is none of them. */
export function parseScale(text: string): { readonly width?: number; readonly height?: number } {
  const [, width = '', height = ''] = /^(\d{0,5})x(\d{0,5})$/.exec(text) ?? [];
  return {
    ...(width === '' ? {} : { width: Number(width) }),
    ...(height === '' ? {} : { height: Number(height) }),
  };
}

const transcode = section({
  type: kind('transcode'),
  input: input('Input'),
  output: output('Output'),
  video: oneOf('copy', 'h264', 'h265', 'mpeg4').default('copy').meta({
    title: 'Picture',
    description: 'Codec that the picture is made; `copy` leaves it as it is.',
  }),
  audio: oneOf('copy', 'aac', 'opus', 'mp3', 'g711').default('copy').meta({
    title: 'Sound',
    description: 'Codec that the sound is made; `copy` leaves it as it is.',
  }),
  bitrate: bitrate.optional().meta({
    title: 'Bit rate of the picture',
    description: 'Bits per second, as a number or as `800k`, `2.5M`. Without it by the size of the picture.',
  }),
  scale: scale.optional().meta({
    title: 'Size',
    description: 'Size of the picture, `1280x720`; of `1280x` and `x720` the other side follows.',
  }),
  fps: wholeNumber(1, 240).optional().meta({
    title: 'Frame rate',
    description: 'Most pictures a second; those between are left out.',
  }),
  sampleRate: wholeNumber(8000, 192_000).optional().meta({
    title: 'Sample rate, hertz',
    description: 'Of the sound. An output that demands one gets it without this key.',
  }),
  hardware: oneOf('auto', 'none').default('auto').meta({
    title: 'Hardware encoders',
    description: '`auto` takes one of this machine where there is one; `none` never.',
  }),
  ...leftOut,
  ...common,
}).refine(({ noVideo, noAudio }) => !noVideo || !noAudio, bothLeftOut);

/** One entry of `jobs`. */
export const jobSchema = z.discriminatedUnion('type', [push, split, merge, relay, transcode], {
  error: ({ code }) =>
    code === 'invalid_union'
      ? 'must be one of push, split, merge, relay, transcode'
      : 'must be a map with a `type` and the keys that go with it',
});

/** One entry of `jobs`, complete with defaults. */
export type JobEntry = z.output<typeof jobSchema>;
export type JobType = JobEntry['type'];

/** An address that media come from, and what goes with it. */
export type JobInputEntry = z.output<typeof inputShape>;
/** An address that media go to, and what goes with it. */
export type JobOutputEntry = z.output<typeof outputShape>;

const shapes = { push, split, merge, relay, transcode };
export const jobTypes = Object.keys(shapes) as readonly JobType[];

/** The keys of an entry, by its type. */
export function jobKeys(type: unknown): readonly string[] {
  const known = jobTypes.find((one) => one === type);
  return known ? Object.keys(shapes[known].shape) : ['type'];
}

export const jobInputKeys: readonly string[] = Object.keys(inputShape.shape);
export const jobOutputKeys: readonly string[] = Object.keys(outputShape.shape);

/** Keys of an entry that addresses stand below, by its type: where media come from, and where they go. */
const ADDRESS_KEYS = {
  push: { inputs: ['input'], outputs: ['output'] },
  split: { inputs: ['input'], outputs: ['video', 'audio'] },
  merge: { inputs: ['video', 'audio'], outputs: ['output'] },
  relay: { inputs: ['input'], outputs: ['outputs'] },
  transcode: { inputs: ['input'], outputs: ['output'] },
} as const satisfies Record<JobType, { inputs: readonly string[]; outputs: readonly string[] }>;

/** The side of a job that a key is about. */
export type JobSide = 'input' | 'output';

/** Which side the addresses of a key are on; undefined for all other keys. */
export function sideOf(type: JobType, key: string): JobSide | undefined {
  const { inputs, outputs } = ADDRESS_KEYS[type];
  if (inputs.some((one) => one === key)) return 'input';
  return outputs.some((one) => one === key) ? 'output' : undefined;
}

/** The entry with other addresses: each is shown with its key and what stands there. */
export function withAddresses(
  entry: JobEntry,
  change: <T extends JobInputEntry | JobOutputEntry>(address: T, side: JobSide, key: string) => T,
): JobEntry {
  const changed = Object.entries(entry).map(([key, value]: [string, unknown]) => {
    const side = sideOf(entry.type, key);
    if (side === undefined) return [key, value];
    if (!Array.isArray(value)) return [key, change(value as JobInputEntry | JobOutputEntry, side, key)];
    const items = value as readonly JobOutputEntry[];
    return [key, items.map((item, at) => change(item, side, `${key}[${at}]`))];
  });
  return Object.fromEntries(changed) as JobEntry;
}

/** All addresses of an entry, with their keys (`outputs[0]`). */
export function addressesOf(
  entry: JobEntry,
): { readonly key: string; readonly side: JobSide; readonly address: JobInputEntry | JobOutputEntry }[] {
  const found: ReturnType<typeof addressesOf> = [];
  withAddresses(entry, (address, side, key) => {
    found.push({ key, side, address });
    return address;
  });
  return found;
}
