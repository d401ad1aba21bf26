import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { systemDevices } from './av/devices.ts';

/** One device, as people see it and as FFmpeg opens it. */
export interface FoundDevice {
  /** `/dev/video0`, `hw:1,0`, or what the system calls it elsewhere. */
  readonly id: string;
  readonly label: string;
}

/** What a machine has to capture from. */
export interface Machine {
  readonly platform: NodeJS.Platform;
  /** The X display of this process, where it has one. */
  readonly display: string | undefined;
  /** X displays of this machine. */
  readonly displays: readonly string[];
  readonly cameras: readonly FoundDevice[];
  readonly microphones: readonly FoundDevice[];
}

/** Looks what there is. What cannot be listed counts as not there. */
export async function lookAtMachine(root = '/'): Promise<Machine> {
  const { platform, env } = process;
  const display = env['DISPLAY'] === '' ? undefined : env['DISPLAY'];
  if (platform === 'linux') return { platform, display, ...(await lookAtLinux(root)) };
  const devices = await systemDevices().catch(() => []);
  const of = (wanted: 'video' | 'audio') =>
    devices.flatMap(({ type, id, label }) => (type === wanted ? [{ id, label }] : []));
  return { platform, display, displays: [], cameras: of('video'), microphones: of('audio') };
}

/**
 * Of Linux, by its files: V4L2 below `/dev` and `/sys/class/video4linux`, ALSA by `/proc/asound/pcm`, X by its sockets.
 * @param root where these files stand
 */
export async function lookAtLinux(
  root: string,
): Promise<Pick<Machine, 'displays' | 'cameras' | 'microphones'>> {
  const names = async (folder: string, pattern: RegExp) => {
    const found = await readdir(join(root, folder)).catch(() => []);
    const numbers = found.flatMap((name) => pattern.exec(name)?.[1] ?? []);
    return numbers.map(Number).toSorted((a, b) => a - b);
  };
  const line = async (path: string) => (await readFile(join(root, path), 'utf8').catch(() => '')).trim();
  const cameras: FoundDevice[] = [];
  for (const number of await names('dev', /^video(\d+)$/)) {
    const about = `sys/class/video4linux/video${number}`;
    // A camera has further nodes for what it says about its pictures.
    if ((await line(`${about}/index`)) > '0') continue;
    cameras.push({ id: `/dev/video${number}`, label: (await line(`${about}/name`)) || `video${number}` });
  }
  const microphones = (await line('proc/asound/pcm')).split('\n').flatMap((text) => {
    const [, card, device, label = ''] = /^(\d+)-(\d+): ([^:]*):.*\bcapture \d/.exec(text) ?? [];
    return card === undefined ? [] : [{ id: `hw:${Number(card)},${Number(device)}`, label: label.trim() }];
  });
  const displays = (await names('tmp/.X11-unix', /^X(\d+)$/)).map((number) => `:${number}`);
  return { displays, cameras, microphones };
}
