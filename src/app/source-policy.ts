import type { LookupFunction } from 'node:net';
import { lookup } from '#clients/lookup.ts';
import type { Config } from '#config/schema.ts';
import { type SourceKind, sourceKind } from '#config/source.ts';
import { systemClock } from '#util/clock.ts';
import { confinedPath } from '#util/confined-path.ts';
import { ForbiddenAddress, outerAddress } from '#util/guarded-lookup.ts';
import { maskAddress } from '#util/mask-address.ts';
import { forbidListening, hostOf } from '#util/outward-address.ts';

/**
 * What a source of each kind is held to where it is restricted. Whoever adds a kind has to say how it is kept from this
 * machine when it connects, since a name may be pointed elsewhere after any check.
 */
const LIMITS: Readonly<Record<SourceKind, 'address' | 'folders' | 'nothing'>> = {
  // `openSocket` judges each address when it connects.
  rtsp: 'address',
  rtmp: 'address',
  // `openSocket` does, and candidates for the media are judged too.
  whep: 'address',
  // `guardedWay` does.
  network: 'address',
  // `confinedPath` follows links when the file is opened.
  path: 'folders',
  test: 'nothing',
};

/** A name server that takes longer does not keep others from changing the configuration. */
const LOOKUP_MS = 3000;

/**
 * Refuses at once what a restricted source would be refused for when it connects, so that whoever gives it over the API
 * learns it by the answer. A name that cannot be looked up now is let through: it is judged again at each connection.
 * @param source of an entry; `$1` and its like stand for parts of a name
 * @throws NamedError SOURCE_FORBIDDEN
 */
export async function checkRestricted(
  source: string,
  { sources }: Pick<Config, 'sources'>,
  find: LookupFunction = lookup,
): Promise<void> {
  if (sources.allowLocal) return;
  const kind = sourceKind(source);
  const limit = kind && LIMITS[kind];
  if (limit === 'folders') await confinedPath(source, sources.folders);
  if (limit !== 'address') return;
  const shown = maskAddress(source);
  forbidListening(source, shown);
  const host = hostOf(source);
  // A group is not connected to, and which host a part of a name makes shows with the name.
  if (/^udp:/i.test(source) || host.includes('$')) return;
  const found = outerAddress(host, find, shown).catch((error: unknown) => {
    if (error instanceof ForbiddenAddress) throw error;
  });
  const timeout = Promise.withResolvers<void>();
  const cancel = systemClock.after(LOOKUP_MS, timeout.resolve);
  await Promise.race([found, timeout.promise]).finally(cancel);
}
