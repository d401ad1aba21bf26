import type { LookupFunction } from 'node:net';
import { lookup } from '#clients/lookup.ts';
import { type ForwardKind, forwardKind } from '#config/forward-schema.ts';
import { pathOfOutput, streamOfAddress } from '#config/job-address.ts';
import type { newAddresses } from '#config/job-change.ts';
import type { Config } from '#config/schema.ts';
import { type SourceKind, sourceKind } from '#config/source.ts';
import { LEADING_KEYS, type StreamEntry } from '#config/stream-schema.ts';
import { confineFile } from '#sinks/file/forward.ts';
import { systemClock } from '#util/clock.ts';
import { confinedPath } from '#util/confined-path.ts';
import { DEVICE, ForbiddenAddress, OTHER_STREAM, outerAddress } from '#util/guarded-lookup.ts';
import { maskAddress } from '#util/mask-address.ts';
import { forbidListening, forbidOptions, hostOf, isGroup } from '#util/outward-address.ts';

/**
 * What a source of each kind, a second one and a stand-by included, is held to where it is restricted. Whoever adds a kind has to say how it is kept from this
 * machine when it connects, since a name may be pointed elsewhere after any check.
 */
const LIMITS: Readonly<Record<SourceKind, 'address' | 'folders' | 'never' | 'nothing'>> = {
  // `openSocket` judges each address when it connects.
  rtsp: 'address',
  rtmp: 'address',
  // `openSocket` does, and candidates for the media are judged too.
  whep: 'address',
  // `guardedWay` does.
  network: 'address',
  // `confinedPath` follows links when the file is opened.
  path: 'folders',
  // The worker refuses to open it.
  device: 'never',
  test: 'nothing',
};

/** The same for what streams are forwarded to. */
const FORWARD_LIMITS: Readonly<Record<ForwardKind, 'address' | 'never'>> = {
  // `openSocket` judges each address when it connects.
  rtsp: 'address',
  rtmp: 'address',
  // `openSocket` does, and candidates for the media are judged too.
  whip: 'address',
  // `guardedTarget` does, and has FFmpeg send to the address that it judged.
  mpegts: 'address',
  // `streamForward` refuses it: other permissions may belong to the other name.
  stream: 'never',
};

/** A name server that takes longer does not keep others from changing the configuration. */
const LOOKUP_MS = 3000;

/**
 * Refuses at once what would be refused when it connects, so that whoever gives it over the API learns it by the answer. A
 * name that cannot be looked up now is let through: it is judged again at each connection.
 * @param entry in its addresses `$1` and its like stand for parts of a name
 * @param before what is in it was there before, and is not judged again
 * @throws NamedError SOURCE_FORBIDDEN
 */
export async function checkRestricted(
  entry: StreamEntry,
  before: StreamEntry | undefined,
  { sources }: Pick<Config, 'sources'>,
  find: LookupFunction = lookup,
): Promise<void> {
  if (sources.allowLocal) return;
  const media = LEADING_KEYS.flatMap((key) => (entry[key] === before?.[key] ? [] : (entry[key] ?? [])));
  const known = new Set(before?.forward.map(({ url }) => url));
  const forwards = entry.forward.filter(({ url }) => !known.has(url));
  await Promise.all([
    ...media.map((one) => checkMedia(one, sources.folders, find)),
    ...forwards.map(({ url }) => checkForward(url, find)),
  ]);
}

/**
 * The same for addresses of jobs that are given over the API.
 * @throws NamedError SOURCE_FORBIDDEN
 */
export async function checkJobAddresses(
  addresses: ReturnType<typeof newAddresses>,
  { sources, outputs }: Pick<Config, 'sources' | 'outputs'>,
  find: LookupFunction = lookup,
): Promise<void> {
  if (sources.allowLocal) return;
  await Promise.all(
    addresses.map(async ({ side, address: { url } }) => {
      // Of streams of this server it is asked who may read and publish them.
      if (streamOfAddress(url) !== undefined) return;
      if (side === 'input') return checkMedia(url, sources.folders, find);
      if (pathOfOutput(url) === undefined) return checkForward(url, find);
      await confineFile(url, outputs.folders);
    }),
  );
}

async function checkMedia(source: string, folders: readonly string[], find: LookupFunction): Promise<void> {
  const kind = sourceKind(source);
  const limit = kind && LIMITS[kind];
  if (limit === 'never') throw new ForbiddenAddress(source, DEVICE);
  if (limit === 'folders') await confinedPath(source, folders);
  if (limit !== 'address') return;
  forbidListening(source, maskAddress(source));
  // A group is not connected to.
  if (!/^udp:/i.test(source)) await checkHost(source, find);
}

async function checkForward(url: string, find: LookupFunction): Promise<void> {
  const kind = forwardKind(url);
  if (!kind) return;
  if (FORWARD_LIMITS[kind] === 'never') throw new ForbiddenAddress(url, OTHER_STREAM);
  forbidOptions(url, maskAddress(url));
  if (!/^udp:/i.test(url) || !isGroup(hostOf(url))) await checkHost(url, find);
}

async function checkHost(url: string, find: LookupFunction): Promise<void> {
  const host = hostOf(url);
  // Which host a part of a name makes shows with the name.
  if (host.includes('$')) return;
  const found = outerAddress(host, find, maskAddress(url)).catch((error: unknown) => {
    if (error instanceof ForbiddenAddress) throw error;
  });
  const timeout = Promise.withResolvers<void>();
  const cancel = systemClock.after(LOOKUP_MS, timeout.resolve);
  await Promise.race([found, timeout.promise]).finally(cancel);
}
