import { isDevice, parseDevice, withDeviceWishes } from '#config/device-address.ts';
import {
  type JobInputEntry,
  type JobOutputEntry,
  pathOfOutput,
  streamOfAddress,
} from '#config/job-address.ts';
import { addressesOf, type JobEntry, parseScale } from '#config/job-schema.ts';
import type { Config } from '#config/schema.ts';
import { sourceKind } from '#config/source.ts';
import type { RenditionRequest } from '#hub/rendition.ts';
import type { JobWish } from '#jobs/jobs.ts';
import type { JobInput, JobOutput, JobSettings } from '#jobs/plan.ts';
import { mediaOf } from './configured-streams.ts';

/** The jobs of the configuration, in the order of the file. */
export function configuredJobs(config: Config): JobWish[] {
  return Object.entries(config.jobs).map(([name, entry]) => ({
    settings: jobSettings(name, entry, config),
    enabled: entry.enabled,
  }));
}

/** What an entry asks for, in the words of the jobs. */
export function jobSettings(
  name: string,
  entry: JobEntry,
  config: Pick<Config, 'sources' | 'outputs'>,
): JobSettings {
  const isMute = 'noAudio' in entry && entry.noAudio;
  const from = (address: JobInputEntry) => inputOf(isMute ? mute(address) : address, entry.loop, config);
  const to = (address: JobOutputEntry) => outputOf(address, ends(entry), config);
  switch (entry.type) {
    case 'push': {
      const { type, noVideo, noAudio } = entry;
      return { type, name, noVideo, noAudio, input: from(entry.input), output: to(entry.output) };
    }
    case 'split': {
      const { type, input, video, audio } = entry;
      return { type, name, input: from(input), video: to(video), audio: to(audio) };
    }
    case 'merge': {
      const { type, video, audio, output, offset: offsetMs } = entry;
      return { type, name, video: from(video), audio: from(audio), output: to(output), offsetMs };
    }
    case 'relay':
      return { type: entry.type, name, input: from(entry.input), outputs: entry.outputs.map(to) };
    case 'transcode': {
      const { type, input, output, noVideo, noAudio } = entry;
      const wishes = { video: pictureOf(entry), audio: soundOf(entry) };
      return { type, name, noVideo, noAudio, input: from(input), output: to(output), ...wishes };
    }
  }
}

function inputOf(address: JobInputEntry, loop: boolean, { sources }: Pick<Config, 'sources'>): JobInput {
  const { url, transport, fingerprint, insecure, restricted } = address;
  const stream = streamOfAddress(url);
  if (stream !== undefined) return { kind: 'stream', stream };
  const limit = restricted && !sources.allowLocal ? sources : undefined;
  const source = mediaOf(url, { transport, loop, trust: { fingerprint, insecure }, limit });
  return { kind: 'source', source };
}

/** A microphone that nobody is to hear is not opened. */
function mute(address: JobInputEntry): JobInputEntry {
  const { url } = address;
  const hasPicture = isDevice(url) && parseDevice(url)?.kind !== 'microphone';
  return hasPicture ? { ...address, url: withDeviceWishes(url, { audio: 'none' }) } : address;
}

/** Whether the job ends with its input. */
function ends(entry: JobEntry): boolean {
  const inputs = addressesOf(entry).filter(({ side }) => side === 'input');
  return !entry.loop && inputs.every(({ address: { url } }) => isFile(url));
}

function isFile(url: string): boolean {
  return streamOfAddress(url) === undefined && sourceKind(url) === 'path';
}

function outputOf(
  address: JobOutputEntry,
  isFinite: boolean,
  { sources, outputs }: Pick<Config, 'sources' | 'outputs'>,
): JobOutput {
  const { url, fingerprint, insecure, restricted, existing = isFinite ? 'refuse' : 'number' } = address;
  const isPath = pathOfOutput(url) !== undefined;
  const isRestricted = restricted && !sources.allowLocal;
  return {
    url,
    trust: { fingerprint, insecure },
    ...(isRestricted ? { restricted: true } : {}),
    ...(isRestricted && isPath ? { within: outputs.folders } : {}),
    ...(isPath ? { existing } : {}),
  };
}

type TranscodeEntry = Extract<JobEntry, { type: 'transcode' }>;

function pictureOf({ video, bitrate, scale, fps, hardware }: TranscodeEntry): RenditionRequest | undefined {
  if (video === 'copy') return undefined;
  return {
    codec: video,
    hardware,
    ...(bitrate === undefined ? {} : { bitRate: bitrate }),
    ...(scale === undefined ? {} : parseScale(scale)),
    ...(fps === undefined ? {} : { fps }),
  };
}

function soundOf({ audio, sampleRate }: TranscodeEntry): RenditionRequest | undefined {
  if (audio === 'copy') return undefined;
  const rate = sampleRate === undefined ? {} : { sampleRate };
  // A-law, which is what most of the world has; at 8 kHz, which is all that it is.
  return audio === 'g711' ? { codec: 'pcma' } : { codec: audio, ...rate };
}
