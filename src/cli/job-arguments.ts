import type { ArgsDef } from 'citty';
import { withoutCredentials } from '#app/logger.ts';
import { isDevice, withDeviceWishes } from '#config/device-address.ts';
import { pathOfOutput } from '#config/job-address.ts';
import { absoluteJob, type JobEntry, type JobType, jobSchema } from '#config/job-schema.ts';
import { meantIssues } from '#config/load.ts';
import type { Typed } from './command-line.ts';
import { UsageError } from './environment.ts';

/** Options of jobs, by their keys in `jobs` of the configuration; the schema of that says what they may be. */

const input: ArgsDef[string] = {
  type: 'positional',
  description: 'An input: file, folder, picture, desktop, camera:0, microphone:0, an address, or a stream',
  required: true,
};
const output: ArgsDef[string] = {
  type: 'positional',
  description: 'An output: rtsp, rtmp, srt, udp or whip address, a file, or a stream of this machine',
  required: true,
};

const choice: ArgsDef = {
  'no-video': { type: 'boolean', description: 'Only the sound' },
  'no-audio': { type: 'boolean', description: 'Only the picture' },
};

const common: ArgsDef = {
  loop: { type: 'boolean', description: 'Start a file again at its end, for ever' },
  fps: { type: 'string', description: 'Pictures a second of a desktop or a camera', valueHint: '30' },
  region: { type: 'string', description: 'Part of the desktop', valueHint: 'WxH+X+Y' },
  overwrite: { type: 'boolean', description: 'Write over a file that is there' },
  fingerprint: {
    type: 'string',
    description: 'SHA-256 of the certificate of a TLS server',
    valueHint: 'hex',
  },
  insecure: { type: 'boolean', description: 'Take any certificate' },
  config: {
    type: 'string',
    description: 'Configuration of the server on this machine, for streams by name',
    valueHint: 'sluice.yml',
  },
  json: { type: 'boolean', description: 'Say how it goes as JSON, one object a second' },
};

const to = (what: string): ArgsDef[string] => ({
  type: 'string',
  description: `Where the ${what} goes`,
  valueHint: 'url',
});
const from = (what: string): ArgsDef[string] => ({
  type: 'string',
  description: `Where the ${what} comes from`,
  valueHint: 'url',
});

/** What each command takes. */
export const JOB_ARGS: Readonly<Record<JobType, ArgsDef>> = {
  push: { input, output, ...choice, ...common },
  split: { input, video: to('picture'), audio: to('sound'), ...common },
  merge: {
    output,
    video: from('picture'),
    audio: from('sound'),
    offset: { type: 'string', description: 'Moves the sound, milliseconds', valueHint: '40' },
    ...common,
  },
  relay: { input, output, ...common },
  transcode: {
    input,
    output,
    video: { type: 'string', description: 'h264, h265, mpeg4 or copy', valueHint: 'codec' },
    audio: { type: 'string', description: 'aac, opus, mp3, g711 or copy', valueHint: 'codec' },
    bitrate: { type: 'string', description: 'Of the picture, bits per second', valueHint: '2.5M' },
    scale: { type: 'string', description: 'Size of the picture', valueHint: '1280x720' },
    'sample-rate': { type: 'string', description: 'Of the sound, hertz', valueHint: '44100' },
    hardware: { type: 'string', description: 'auto or none', valueHint: 'auto' },
    ...choice,
    ...common,
    fps: { type: 'string', description: 'Most pictures a second', valueHint: '30' },
  },
};

/** Whether a command takes its last positional more than once. */
export function takesMany(type: JobType): boolean {
  return type === 'relay' || type === 'push';
}

/** Keys whose values are numbers; what is none is left to the schema to refuse. */
const NUMBERS = new Set(['offset', 'fps', 'sampleRate']);
/** What is typed about addresses, and not about the job. */
const OF_ADDRESSES = new Set(['region', 'overwrite', 'fingerprint', 'insecure', 'config', 'json']);

/**
 * The job that a command line asks for.
 * @param meant what an address of the command line means
 * @throws UsageError
 */
export async function jobOf(
  type: JobType,
  { options, positionals }: Typed,
  meant: (address: string, side: 'input' | 'output') => Promise<string>,
): Promise<JobEntry> {
  const inputs = type === 'merge' ? [named('video'), named('audio')] : positionals.slice(0, 1);
  const outputs =
    type === 'split' ? [named('video'), named('audio')] : positionals.slice(type === 'merge' ? 0 : 1);
  const isDeviceIn = inputs.some(isDevice);
  for (const wish of type === 'transcode' ? ['region'] : ['fps', 'region']) {
    if (!options.has(wish) || isDeviceIn) continue;
    const way = wish === 'fps' ? ' "sluice transcode --fps" changes that of everything else.' : '';
    throw new UsageError(
      `The option "--${wish}" is about a desktop or a camera, which the input is not.${way}`,
    );
  }
  const trust = {
    ...(options.has('insecure') && { insecure: true }),
    ...(options.has('fingerprint') && { fingerprint: options.get('fingerprint') }),
  };
  const from = async (address: string) => ({
    url: isDevice(address) ? withWishes(address) : await meant(address, 'input'),
    ...trust,
  });
  const to = async (address: string) => {
    const url = await meant(address, 'output');
    const existing = options.has('overwrite') && pathOfOutput(url) !== undefined;
    return { url, ...trust, ...(existing && { existing: 'overwrite' }) };
  };
  const [first, second] = await Promise.all(inputs.map(from));
  const targets = await Promise.all(outputs.map(to));
  const wishes = Object.fromEntries(
    [...options].flatMap(([option, value]) => {
      const isAddress = (type === 'split' || type === 'merge') && (option === 'video' || option === 'audio');
      const isWish = OF_ADDRESSES.has(option) || (option === 'fps' && type !== 'transcode');
      return isAddress || isWish ? [] : [[camel(option), valueOf(camel(option), value)]];
    }),
  );
  const several = type === 'push' && targets.length > 1;
  if (several && (options.has('no-video') || options.has('no-audio'))) {
    throw new UsageError('"sluice push" takes one output where a part of the input is left out.');
  }
  const addresses = (): object => {
    switch (type) {
      case 'split':
        return { input: first, video: targets[0], audio: targets[1] };
      case 'merge':
        return { video: first, audio: second, output: targets[0] };
      case 'relay':
        return { input: first, outputs: targets };
      default:
        return several ? { input: first, outputs: targets } : { input: first, output: targets[0] };
    }
  };
  const asked = { type: several ? 'relay' : type, ...addresses(), ...wishes };
  const parsed = jobSchema.safeParse(asked);
  if (!parsed.success) throw refused(parsed.error.issues, asked);
  return absoluteJob(parsed.data, process.cwd());

  function named(option: string): string {
    const value = options.get(option);
    if (typeof value === 'string') return value;
    throw new UsageError(`"sluice ${type}" needs --video and --audio, each with an address.`);
  }

  function withWishes(address: string): string {
    const text = (option: string) => {
      const value = options.get(option);
      return typeof value === 'string' ? value : undefined;
    };
    // Of a camera and a microphone that are merged, the picture's is meant.
    const wishes =
      address.startsWith('microphone') && type === 'merge'
        ? {}
        : { fps: text('fps'), region: text('region') };
    return withDeviceWishes(address, wishes);
  }
}

function valueOf(key: string, value: string | true): unknown {
  return value !== true && NUMBERS.has(key) && /^-?\d+(?:\.\d+)?$/.test(value) ? Number(value) : value;
}

function camel(option: string): string {
  return option.replaceAll(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

function kebab(key: string): string {
  return key.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

/** What the schema says, about what was typed. */
function refused(issues: Parameters<typeof meantIssues>[0], asked: object): UsageError {
  const sentences = meantIssues(issues).map(({ issue, path }) => {
    const key = String(path.findLast((one) => typeof one === 'string') ?? '');
    const given = key === 'url' ? at(asked, path) : `--${kebab(key)}`;
    return `"${withoutCredentials(String(given))}" ${issue.message}.`;
  });
  return new UsageError([...new Set(sentences)].join('\n'));
}

function at(value: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce(
    (inner, key) => (inner as Readonly<Record<PropertyKey, unknown>> | undefined)?.[key],
    value,
  );
}
