import type { OnDemandLimits } from '#hub/on-demand.ts';
import type { Device } from '#media/device.ts';
import type { Track } from '#media/track.ts';
import { maskAddress } from '#util/mask-address.ts';
import type { SourceTask } from './contract.ts';

/** One stream of the configuration that has a source of its own. */
export type SourceSettings =
  | FileSettings
  | NetworkSettings
  | TestSettings
  | DeviceSettings
  | RtspSettings
  | RtmpSettings
  | WhepSettings;

/** A source that has no stream yet. */
export type NamelessSource = SourceSettings extends infer One
  ? One extends unknown
    ? Omit<One, 'stream'>
    : never
  : never;

interface CommonSettings {
  readonly stream: string;
  /** The source is there while somebody wants the stream, within these limits; undefined: always. */
  readonly onDemand: OnDemandLimits | undefined;
  /**
   * Somebody gave it who may not lead us everywhere (the API, or the name of the stream itself): an address may not be
   * one of this machine, its cable or its cloud, whatever its name is pointed at and wherever it redirects to.
   */
  readonly restricted?: true;
  /** A second source, for the kinds of media that this one does not have. */
  readonly fill?: SourceSettings | undefined;
  /** What is shown while the source is gone. */
  readonly standby?: StandbySettings | undefined;
}

export interface StandbySettings {
  /** Absolute path of a picture or a clip. */
  readonly path: string;
  /** Where it is restricted: the folders that the path has to be in, links followed. */
  readonly within?: readonly string[];
  /** So long after the source was lost, or did not come, ms. */
  readonly afterMs: number;
}

export interface FileSettings extends CommonSettings {
  readonly kind: 'file';
  /** Absolute path of a file, a folder of files, or a picture. */
  readonly path: string;
  readonly loop: boolean;
  /** Where it is restricted: the folders that the path has to be in, links followed. */
  readonly within?: readonly string[];
}

export interface NetworkSettings extends CommonSettings {
  /** What FFmpeg opens in a worker: http, https, srt, udp. */
  readonly kind: 'network';
  /** With credentials. */
  readonly url: string;
  /** How the certificate of an `https://` server is judged, and of those that it leads to. */
  readonly trust?: { readonly fingerprint: string | undefined; readonly insecure: boolean };
}

export interface TestSettings extends CommonSettings {
  readonly kind: 'test';
}

export interface DeviceSettings extends CommonSettings {
  readonly kind: 'device';
  readonly device: Device;
  /** As it is written in the configuration, such as `camera:0`. */
  readonly address: string;
}

export interface RtspSettings extends CommonSettings {
  readonly kind: 'rtsp';
  /** With credentials. */
  readonly url: string;
  readonly transport: 'auto' | 'tcp' | 'udp';
  /** How the certificate of an `rtsps://` server is judged. */
  readonly trust?: { readonly fingerprint: string | undefined; readonly insecure: boolean };
}

export interface RtmpSettings extends CommonSettings {
  readonly kind: 'rtmp';
  /** With credentials. */
  readonly url: string;
  /** How the certificate of an `rtmps://` server is judged. */
  readonly trust?: { readonly fingerprint: string | undefined; readonly insecure: boolean };
}

export interface WhepSettings extends CommonSettings {
  readonly kind: 'whep';
  /** With credentials. */
  readonly url: string;
  /** How the certificate of a server over HTTPS is judged. */
  readonly trust?: { readonly fingerprint: string | undefined; readonly insecure: boolean };
}

/** How one thing that brings a stream, or a part of it, does. */
interface PartStatus {
  /** Where it comes from: the path of the file, or the address without credentials. */
  readonly address: string;
  /** `idle`: on demand, and nobody wants it, or not needed; else as its task has it. */
  readonly state: SourceTask['status']['state'] | 'idle';
  /** Why it does not run, in a sentence. */
  readonly reason?: string;
  /** The reason without what differs from attempt to attempt. */
  readonly trouble?: string;
  readonly code?: string;
  /** When the state began, ms since 1970. */
  readonly since: number;
}

export interface SourceStatus extends PartStatus {
  readonly stream: string;
  /** The second source, or what stands in; absent for the source itself. */
  readonly part?: 'fill' | 'standby';
}

/** A source with what goes with it. */
export interface SourceOverview extends SourceStatus {
  readonly fill?: PartStatus;
  readonly standby?: PartStatus;
}

/**
 * Begins what brings a stream, or what its first source does not have (`fill`); injected, because this room knows no
 * workers. Never calls `onState` before it returns.
 */
export type StartSource = (
  settings: SourceSettings,
  onState: (status: SourceTask['status']) => void,
  part?: 'fill',
) => SourceTask;

/** Streams that come by their names alone; all of them on demand. */
export interface PatternSources {
  /** The source of a stream of that name; undefined where no pattern has one for it. */
  readonly find: (name: string) => SourceSettings | undefined;
  /** How many may be there at a time. */
  readonly max: number;
}

/** Begins what stands in for a stream's source, in the codecs and the size of these tracks; as {@link StartSource}. */
export type StartStandby = (
  standby: Pick<StandbySettings, 'path' | 'within'> & {
    readonly stream: string;
    readonly like: readonly Track[];
  },
  onState: (status: SourceTask['status']) => void,
) => SourceTask;

/** What a task says of itself, as its owner tells it on. */
export function statusOf({ status }: SourceTask): Omit<PartStatus, 'address'> {
  const { state, reason, trouble = reason, code, since } = status;
  return {
    state,
    ...(reason === undefined ? {} : { reason }),
    ...(trouble === undefined ? {} : { trouble }),
    ...(code === undefined ? {} : { code }),
    since,
  };
}

/** Where a source comes from, as people may see it. */
export function addressOf(settings: SourceSettings): string {
  switch (settings.kind) {
    case 'file':
      return settings.path;
    case 'test':
      return 'testsrc';
    case 'device':
      return settings.address;
    case 'network':
    case 'rtsp':
    case 'whep':
    case 'rtmp':
      return maskAddress(settings.url);
  }
}
