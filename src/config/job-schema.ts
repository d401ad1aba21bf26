import { resolve } from 'node:path';
import { z } from 'zod';
import { oneOf, section, wholeNumber, yesOrNo } from './fields.ts';
import {
  filed,
  type JobInputEntry,
  type JobOutputEntry,
  pathOfOutput,
  shown,
  streamOfAddress,
  wished,
} from './job-address.ts';
import { sourceKind } from './source.ts';

/** `jobs.<name>`: a task of transport, by its `type`. */

const NAME = /^[A-Za-z0-9_~-][A-Za-z0-9._~-]{0,63}$/;

/** What is wrong with the name of a job, as the end of a sentence that begins with it; undefined when nothing is. */
export function jobNameTrouble(name: string): string | undefined {
  // Of all names this one is none in a map of JavaScript.
  if (NAME.test(name) && name !== '__proto__') return undefined;
  return 'is no name of a job: 1 to 64 letters, digits and . _ ~ -, not beginning with a dot';
}

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

const isSomethingLeft = ({ noVideo, noAudio }: { readonly noVideo: boolean; readonly noAudio: boolean }) =>
  !noVideo || !noAudio;
const nothingLeft = {
  error: 'cannot be true beside `noVideo`, because nothing would be left',
  path: ['noAudio'],
};

const kind = <const Type extends string>(type: Type) =>
  z.literal(type).meta({
    title: 'Type',
    description:
      '`push`: one input to one output. `split`: picture and sound of an input to outputs of their own. `merge`: picture and sound of two inputs to one output. `relay`: one input to several outputs. `transcode`: as `push`, in other codecs.',
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

/** How addresses are said: in the file, to the API, or by it. */
interface Said<Input extends z.ZodType, Output extends z.ZodType, Rate extends z.ZodType> {
  readonly input: (title: string) => Input;
  readonly output: (title: string) => Output;
  /** Bits per second. */
  readonly rate: Rate;
}

function shapesOf<Input extends z.ZodType, Output extends z.ZodType, Rate extends z.ZodType>({
  input,
  output,
  rate,
}: Said<Input, Output, Rate>) {
  const push = section({
    type: kind('push'),
    input: input('Input'),
    output: output('Output'),
    ...leftOut,
    ...common,
  }).refine(isSomethingLeft, nothingLeft);
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
      .meta({ title: 'Outputs', description: 'A list of addresses, each as `output`.' }),
    ...common,
  });
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
    bitrate: rate.optional().meta({
      title: 'Bit rate of the picture',
      description:
        'Bits per second, as a number or as `800k`, `2.5M`. Without it by the size of the picture.',
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
  }).refine(isSomethingLeft, nothingLeft);
  return { push, split, merge, relay, transcode };
}

const typeRule = {
  error: ({ code }: { readonly code: string }) =>
    code === 'invalid_union'
      ? 'must be one of push, split, merge, relay, transcode'
      : 'must be a map with a `type` and the keys that go with it',
};

const inFile = shapesOf({ ...filed, rate: bitrate });

/** One entry of `jobs`. */
export const jobSchema = z.discriminatedUnion(
  'type',
  [
    inFile.push,
    inFile.split,
    inFile.merge,
    inFile.relay.refine(({ outputs }) => new Set(outputs.map(({ url }) => url)).size === outputs.length, {
      error: 'must not have the same address twice',
      path: ['outputs'],
    }),
    inFile.transcode,
  ],
  typeRule,
);

const toApi = shapesOf({ ...wished, rate: bitrate });

/** The same as the API takes it; addresses may look the same while `***` stands in them. */
export const jobWish = z.discriminatedUnion('type', Object.values(toApi) as Variants<typeof toApi>, typeRule);

const byApi = shapesOf({ ...shown, rate: z.number() });

/** The same as the API shows it, complete with defaults. */
export const shownJob = z.discriminatedUnion('type', Object.values(byApi) as Variants<typeof byApi>);

type Variants<T> = [T[keyof T], ...T[keyof T][]];

/** One entry of `jobs`, complete with defaults. */
export type JobEntry = z.output<typeof jobSchema>;
export type JobType = JobEntry['type'];

export const jobTypes = Object.keys(inFile) as readonly JobType[];

/** The keys of an entry, by its type. */
export function jobKeys(type: unknown): readonly string[] {
  const known = jobTypes.find((one) => one === type);
  return known ? Object.keys(inFile[known].shape) : ['type'];
}

/** What a key of an entry is where nobody says anything; undefined where it has to be said, or is nothing. */
export function jobDefault(type: JobType, key: string): unknown {
  const field = (inFile[type].shape as Readonly<Record<string, z.ZodType>>)[key];
  return field?.safeParse(undefined).data;
}

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

/** The entry with something else in the place of each address, which is given with its side and key (`outputs[0]`). */
export function mapAddresses(
  entry: JobEntry,
  change: (address: JobInputEntry | JobOutputEntry, side: JobSide, key: string) => object,
): Readonly<Record<string, unknown>> {
  const changed = Object.entries(entry).map(([key, value]: [string, unknown]) => {
    const side = sideOf(entry.type, key);
    if (side === undefined) return [key, value];
    if (!Array.isArray(value)) return [key, change(value as JobInputEntry | JobOutputEntry, side, key)];
    const items = value as readonly JobOutputEntry[];
    return [key, items.map((item, at) => change(item, side, `${key}[${at}]`))];
  });
  return Object.fromEntries(changed);
}

/** The same with other addresses. */
export function withAddresses(
  entry: JobEntry,
  change: <T extends JobInputEntry | JobOutputEntry>(address: T, side: JobSide, key: string) => T,
): JobEntry {
  return mapAddresses(entry, change) as JobEntry;
}

/** All addresses of an entry, with their keys (`outputs[0]`). */
export function addressesOf(
  entry: JobEntry,
): { readonly key: string; readonly side: JobSide; readonly address: JobInputEntry | JobOutputEntry }[] {
  const found: ReturnType<typeof addressesOf> = [];
  mapAddresses(entry, (address, side, key) => {
    found.push({ key, side, address });
    return address;
  });
  return found;
}

/** The entry with absolute paths. */
export function absoluteJob(job: JobEntry, folder: string): JobEntry {
  return withAddresses(job, (address, side) => {
    const { url } = address;
    if (streamOfAddress(url) !== undefined) return address;
    const isPath = side === 'input' ? sourceKind(url) === 'path' : pathOfOutput(url) !== undefined;
    return isPath ? { ...address, url: resolve(folder, url) } : address;
  });
}
