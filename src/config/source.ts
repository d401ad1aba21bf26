import { isDevice } from './device-address.ts';

/** What a `source` of the configuration is, by its text alone. */
export type SourceKind = 'rtsp' | 'rtmp' | 'whep' | 'network' | 'test' | 'device' | 'path';

/** The moving test picture. A file of that name is written `./testsrc`. */
export const TEST_SOURCE = 'testsrc';

/** Undefined for kinds of addresses that cannot be a source. `network`: FFmpeg opens it, in a worker. */
export function sourceKind(source: string): SourceKind | undefined {
  if (source === TEST_SOURCE) return 'test';
  if (isDevice(source)) return 'device';
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(source)?.[1]?.toLowerCase();
  switch (scheme) {
    case undefined:
      return 'path';
    case 'rtsp':
    case 'rtsps':
      return 'rtsp';
    case 'whep':
    case 'wheps':
      return 'whep';
    case 'rtmp':
    case 'rtmps':
      return 'rtmp';
    case 'http':
    case 'https':
      // The last segment of the path, as servers of WHEP name it.
      return /^[^?#]*\/whep\/?(?:[?#]|$)/i.test(source) ? 'whep' : 'network';
    case 'srt':
    case 'udp':
      return 'network';
    default:
      return undefined;
  }
}
