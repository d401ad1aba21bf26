import { lookup } from 'node:dns';
import type { LookupFunction } from 'node:net';
import { outerAddress } from '#util/guarded-lookup.ts';
import { maskAddress } from '#util/mask-address.ts';
import { messageOf, NamedError } from '#util/named-error.ts';
import { forbidListening, forbidOptions, hostOf, isGroup, withHost } from '#util/outward-address.ts';
import type { ServerTrust } from '#util/server-trust.ts';
import { HttpGuard, type HttpGuardOptions } from './http-guard.ts';

type GuardSettings = Omit<HttpGuardOptions, 'address'>;

/** How FFmpeg gets to a network source: the address that it is told, and its options. */
interface NetworkWay extends AsyncDisposable {
  readonly url: string;
  readonly options: Readonly<Record<string, string>>;
  /** Something on the way must not be reached, or is not who it should be. */
  readonly refusal?: NamedError | undefined;
}

/** What FFmpeg may open below an address of each kind: a playlist of HLS may never name a file of this machine. */
const PROTOCOLS: Readonly<Record<string, string>> = {
  http: 'http,https,tcp,tls,crypto',
  https: 'http,https,tcp,tls,crypto',
  srt: 'srt',
  udp: 'udp',
};

/** Behind a guard: containers that name no others, and playlists of HLS, whose addresses the guard sees. */
const FORMATS = 'hls,flv,live_flv,mpegts,mov,mp4,aac,mp3,matroska,webm,webvtt,mpjpeg,mjpeg';

/**
 * The way to an address that may lead anywhere. Over `https` the certificates of servers are judged, which FFmpeg does not
 * do; behind plain `http` whoever stands between could lead it elsewhere all the same.
 */
export async function openWay(url: string, trust: ServerTrust): Promise<NetworkWay> {
  if (schemeOf(url) === 'https') return throughGuard(url, { trust, forbid: () => {} });
  return straight(url);
}

function straight(url: string): NetworkWay {
  const scheme = schemeOf(url);
  const options = { protocol_whitelist: PROTOCOLS[scheme] ?? scheme };
  return { url, options, async [Symbol.asyncDispose]() {} };
}

async function throughGuard(url: string, options: GuardSettings, more = {}): Promise<NetworkWay> {
  // FFmpeg would go past the guard to whatever this names, for the rest of this process' life.
  delete process.env['no_proxy'];
  const guard = await HttpGuard.open({ ...options, address: url });
  return {
    url: guard.inward(url),
    options: { http_proxy: guard.proxy, protocol_whitelist: 'http,tcp,crypto', ...more },
    get refusal() {
      return guard.refusal;
    },
    [Symbol.asyncDispose]: () => guard[Symbol.asyncDispose](),
  };
}

/**
 * The way to an address that may not lead to this machine, its cable or its cloud, wherever it redirects to.
 * @param options of the guard of `http` and `https`
 * @throws ForbiddenAddress; NamedError INPUT_UNREACHABLE where its name cannot be looked up
 */
export async function guardedWay(url: string, options: GuardSettings): Promise<NetworkWay> {
  const shown = maskAddress(url);
  const scheme = schemeOf(url);
  if (scheme === 'http' || scheme === 'https') {
    return throughGuard(url, options, { format_whitelist: FORMATS });
  }
  forbidListening(url, shown);
  const way = straight(url);
  if (scheme === 'udp') return { ...way, options: { ...way.options, format_whitelist: 'mpegts' } };
  const judged = await judgedAddress(url, systemLookup).catch((error: unknown) => {
    if (error instanceof NamedError) throw error;
    const sentence = `${shown} cannot be taken in: its name has no address (${messageOf(error)}). Check the address.`;
    throw new NamedError('INPUT_UNREACHABLE', sentence, 502, { cause: error });
  });
  return { ...way, url: judged, options: { ...way.options, format_whitelist: 'mpegts' } };
}

/**
 * What FFmpeg is told of an `srt://` or `udp://` address that it sends to, and that may not lead to this machine, its cable
 * or its cloud: the address that was judged in the place of the name, which could be pointed elsewhere a moment later.
 * Groups of multicast may be sent to over UDP.
 * @param find looks names up; a test gives its own
 * @throws ForbiddenAddress; NamedError FORWARD_UNREACHABLE where its name cannot be looked up
 */
export async function guardedTarget(url: string, find: LookupFunction = systemLookup): Promise<string> {
  const shown = maskAddress(url);
  forbidOptions(url, shown);
  const host = hostOf(url);
  if (schemeOf(url) === 'udp' && isGroup(host)) return withHost(url, host);
  return judgedAddress(url, find).catch((error: unknown) => {
    if (error instanceof NamedError) throw error;
    const sentence = `${shown} cannot be reached: its name has no address (${messageOf(error)}). Check the address.`;
    throw new NamedError('FORWARD_UNREACHABLE', sentence, 502, { cause: error });
  });
}

/** SRT and UDP tell the other side nothing of the name, so the address that was judged can stand for it. */
async function judgedAddress(url: string, find: LookupFunction): Promise<string> {
  return withHost(url, await outerAddress(hostOf(url), find, maskAddress(url)));
}

const systemLookup = lookup as LookupFunction;

function schemeOf(url: string): string {
  return url.slice(0, url.indexOf(':')).toLowerCase();
}
