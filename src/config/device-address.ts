/**
 * Devices of this machine as addresses of sources: `desktop`, `camera:0`, `microphone:0`, with what is wished of them behind
 * a question mark, `desktop?fps=15&region=1280x720+0+0`. A file of such a name is written `./desktop`.
 */

/** As `Device` of `src/media/device.ts`, which this room cannot see. */
export interface DeviceAddress {
  readonly kind: 'desktop' | 'camera' | 'microphone';
  readonly which?: string;
  readonly fps?: number;
  readonly size?: { readonly width: number; readonly height: number };
  readonly region?: {
    readonly width: number;
    readonly height: number;
    readonly x: number;
    readonly y: number;
  };
  readonly sound?: string;
}

type Kind = DeviceAddress['kind'];

const DEVICE = /^(desktop|camera|microphone)(?::([^?]+))?(?:\?(.*))?$/;

/** What may be wished of each kind of device. */
const WISHES: Readonly<Record<Kind, readonly string[]>> = {
  desktop: ['fps', 'region', 'audio'],
  camera: ['fps', 'size', 'audio'],
  microphone: [],
};

const RULES: Readonly<Record<string, string>> = {
  fps: 'must have as "fps" a whole number from 1 to 120',
  size: 'must have as "size" WIDTHxHEIGHT in pixels, such as 1280x720',
  region: 'must have as "region" WIDTHxHEIGHT+X+Y in pixels, such as 1280x720+100+50',
  audio: 'must have as "audio" the number or the name of a microphone, or none',
};

/** Whether an address is that of a device, rightly written or not. */
export function isDevice(address: string): boolean {
  return DEVICE.test(address);
}

/** What the address of a device asks for; undefined where {@link deviceTrouble} has something to say, or it is none. */
export function parseDevice(address: string): DeviceAddress | undefined {
  const parsed = parse(address);
  return typeof parsed === 'string' ? undefined : parsed;
}

/** What is wrong with the address of a device, as the end of a sentence that begins with it; undefined: nothing. */
export function deviceTrouble(address: string): string | undefined {
  const parsed = parse(address);
  return typeof parsed === 'string' ? parsed : undefined;
}

/** The address with something else wished; what is undefined stays as it was. */
export function withDeviceWishes(
  address: string,
  wishes: Readonly<Record<string, string | undefined>>,
): string {
  const [device = '', query = ''] = address.split('?');
  const words = new Map(query.split('&').flatMap((word) => (word === '' ? [] : [halves(word)])));
  for (const [key, value] of Object.entries(wishes)) if (value !== undefined) words.set(key, value);
  const text = [...words].map(([key, value]) => `${key}=${value}`).join('&');
  return text === '' ? device : `${device}?${text}`;
}

function halves(word: string): [string, string] {
  const at = word.indexOf('=');
  return at < 0 ? [word, ''] : [word.slice(0, at), word.slice(at + 1)];
}

function parse(address: string): DeviceAddress | string | undefined {
  const [, name, which, query = ''] = DEVICE.exec(address) ?? [];
  if (name === undefined) return undefined;
  const kind = name as Kind;
  let device: DeviceAddress = { kind, ...(which === undefined ? {} : { which }) };
  for (const [key, text] of query.split('&').flatMap((word) => (word === '' ? [] : [halves(word)]))) {
    const known = WISHES[kind];
    if (!known.includes(key)) {
      const may =
        known.length === 0 ? 'nothing can be asked of it' : `it can be asked for ${known.join(', ')}`;
      return `must not ask ${kind} for "${key}": ${may}`;
    }
    const value = parseWish(key, decoded(text));
    if (value === undefined) return RULES[key];
    device = { ...device, ...value };
  }
  return device;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function parseWish(key: string, text: string): Partial<DeviceAddress> | undefined {
  switch (key) {
    case 'fps': {
      const fps = /^\d{1,3}$/.test(text) ? Number(text) : 0;
      return fps >= 1 && fps <= 120 ? { fps } : undefined;
    }
    case 'size': {
      const [, width, height] = (/^(\d{2,5})x(\d{2,5})$/.exec(text) ?? []).map(Number);
      return width && height ? { size: { width, height } } : undefined;
    }
    case 'region': {
      const [, width, height, x = 0, y = 0] = (
        /^(\d{2,5})x(\d{2,5})(?:\+(\d{1,5})\+(\d{1,5}))?$/.exec(text) ?? []
      ).map((digits: string | undefined) => (digits === undefined ? undefined : Number(digits)));
      return width && height ? { region: { width, height, x, y } } : undefined;
    }
    default:
      return text === '' ? undefined : { sound: text };
  }
}
