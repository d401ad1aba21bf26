import type { Device } from '#media/device.ts';
import { NamedError } from '#util/named-error.ts';
import type { FoundDevice, Machine } from './machine-devices.ts';

/** What FFmpeg is told to open. */
export interface CaptureInput {
  /** Its name of the kind of device. */
  readonly format: string;
  readonly url: string;
  readonly options: Readonly<Record<string, string | number>>;
  /** As sentences call it. */
  readonly label: string;
}

export interface CaptureInputs {
  readonly video?: CaptureInput;
  readonly audio?: CaptureInput;
  /** The sound was not asked for: the picture goes without it where it cannot be had. */
  readonly soundIsExtra: boolean;
}

/** Pictures a second of a desktop, where nothing else is wished. */
const DESKTOP_FPS = 25;

/**
 * What has to be opened for a device, on this machine: x11grab, V4L2 and ALSA on Linux, gdigrab and DirectShow on Windows,
 * AVFoundation on macOS.
 * @throws {NamedError} DEVICE_MISSING, which lists those there are; DEVICE_UNSUPPORTED
 */
export function captureInputs(device: Device, machine: Machine): CaptureInputs {
  const { sound } = device;
  switch (device.kind) {
    case 'microphone':
      return { audio: microphone(device.which, machine), soundIsExtra: false };
    case 'camera': {
      const video = camera(device, machine);
      const isWanted = sound !== undefined && sound !== 'none';
      return { video, ...(isWanted && { audio: microphone(sound, machine) }), soundIsExtra: false };
    }
    case 'desktop': {
      const video = desktop(device, machine);
      if (sound === 'none') return { video, soundIsExtra: false };
      const isThere = sound !== undefined || machine.microphones.length > 0;
      return {
        video,
        ...(isThere && { audio: microphone(sound, machine) }),
        soundIsExtra: sound === undefined,
      };
    }
  }
}

function desktop({ which, fps = DESKTOP_FPS, region }: Device, machine: Machine): CaptureInput {
  const size = region && { video_size: `${region.width}x${region.height}` };
  switch (machine.platform) {
    case 'linux': {
      const display = which === undefined ? machine.display : which.replace(/^:?(?=\d)/, ':');
      if (display === undefined) throw noDisplay(machine);
      const place = region && { grab_x: region.x, grab_y: region.y };
      const options = { framerate: fps, ...size, ...place };
      return { format: 'x11grab', url: display, options, label: `the desktop "${display}"` };
    }
    case 'win32': {
      const place = region && { offset_x: region.x, offset_y: region.y };
      return {
        ...{ format: 'gdigrab', url: 'desktop', label: 'the desktop' },
        options: { framerate: fps, ...size, ...place },
      };
    }
    case 'darwin': {
      if (region) throw unsupported('a part of the desktop', 'AVFoundation gives the whole of it');
      const screen = `Capture screen ${which ?? 0}`;
      return {
        ...{ format: 'avfoundation', url: `${screen}:none`, label: `"${screen}"` },
        options: { framerate: fps, capture_cursor: 1 },
      };
    }
    default:
      throw unsupported('a desktop', `there is no way to it on ${machine.platform}`);
  }
}

function camera({ which, fps, size }: Device, machine: Machine): CaptureInput {
  const found = pick('camera', which, machine.cameras, /^\/dev\//);
  const wishes = {
    ...(fps !== undefined && { framerate: fps }),
    ...(size && { video_size: `${size.width}x${size.height}` }),
  };
  const label = `the camera "${found.label}"`;
  switch (machine.platform) {
    case 'linux':
      // Their own clock counts from the start of the machine.
      return { format: 'v4l2', url: found.id, options: { ...wishes, timestamps: 'abs' }, label };
    case 'win32':
      return { format: 'dshow', url: `video=${found.id}`, options: { ...wishes, rtbufsize: '64M' }, label };
    case 'darwin':
      return { format: 'avfoundation', url: `${found.id}:none`, options: wishes, label };
    default:
      throw unsupported('a camera', `there is no way to it on ${machine.platform}`);
  }
}

function microphone(which: string | undefined, machine: Machine): CaptureInput {
  const found = pick('microphone', which, machine.microphones, /^(?:plug)?hw:/);
  const label = `the microphone "${found.label}"`;
  switch (machine.platform) {
    case 'linux':
      return { format: 'alsa', url: found.id, options: { sample_rate: 48_000 }, label };
    case 'win32':
      return { format: 'dshow', url: `audio=${found.id}`, options: { audio_buffer_size: 50 }, label };
    case 'darwin':
      return { format: 'avfoundation', url: `none:${found.id}`, options: {}, label };
    default:
      throw unsupported('a microphone', `there is no way to it on ${machine.platform}`);
  }
}

/** By its number, its name, what the system calls it, or, of Linux, a name of the system that is not listed. */
function pick(
  kind: 'camera' | 'microphone',
  which: string | undefined,
  found: readonly FoundDevice[],
  systemName: RegExp,
): FoundDevice {
  const wanted = which ?? '0';
  const one = /^\d+$/.test(wanted)
    ? found[Number(wanted)]
    : found.find(({ id, label }) => id === wanted || label === wanted);
  if (one) return one;
  if (systemName.test(wanted)) return { id: wanted, label: wanted };
  const sentence = `There is no ${kind} "${wanted}" on this machine. ${listed(kind, found)}`;
  throw new NamedError('DEVICE_MISSING', sentence, 404);
}

/** Those there are, as they are written, in a sentence. */
export function listed(kind: 'camera' | 'microphone', found: readonly FoundDevice[]): string {
  if (found.length === 0)
    return 'Sluice sees none: check that it is plugged in, and, in a container, that it was handed over.';
  return `There are: ${found.map(({ label }, number) => `${kind}:${number} (${label})`).join(', ')}.`;
}

function noDisplay({ displays }: Machine): NamedError {
  const there =
    displays.length > 0
      ? `Name one of those there are: ${displays.map((display) => `desktop:${display.slice(1)}`).join(', ')}.`
      : 'There is none on this machine (x11grab takes X11 and no Wayland; Xvfb makes one without a screen).';
  const sentence = `There is no desktop to take: DISPLAY is not set. ${there}`;
  return new NamedError('DEVICE_MISSING', sentence, 404);
}

function unsupported(what: string, why: string): NamedError {
  return new NamedError('DEVICE_UNSUPPORTED', `Sluice cannot take ${what} here: ${why}.`, 422);
}
