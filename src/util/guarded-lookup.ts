import type { LookupAddress } from 'node:dns';
import { isIP, type LookupFunction } from 'node:net';
import { innerPlace } from './inner-address.ts';
import { NamedError } from './named-error.ts';

/** Where a forward leads that publishes under another name, see {@link ForbiddenAddress}. */
export const OTHER_STREAM = 'another stream of this server';

/** Where the address of a device leads, see {@link ForbiddenAddress}. */
export const DEVICE = 'a device of this machine';

/** Somebody gave an address over the API that leads where only who writes the configuration may lead us. */
export class ForbiddenAddress extends NamedError {
  /** @param shown what leads there, without credentials */
  constructor(shown: string, where: string) {
    super(
      'SOURCE_FORBIDDEN',
      `${shown} leads to ${where}, where nothing that was given over the API may lead. Write it into the configuration file itself, or set "sources.allowLocal: true" there.`,
      403,
    );
  }
}

/**
 * @param shown what leads to the address, for the error
 * @throws ForbiddenAddress for an IP address of this machine, its cable or its cloud
 */
export function forbidInner(address: string, shown: string): void {
  const place = innerPlace(address);
  if (place !== undefined) throw new ForbiddenAddress(shown, `${address}, ${place}`);
}

/**
 * A look-up for `net.connect` that refuses names with an address of this machine, its cable or its cloud, at each
 * connection anew: a name may be pointed elsewhere between any check and the connection (DNS rebinding). One forbidden
 * address among others is enough.
 *
 * Node looks no IP address up: those have to be checked by {@link forbidInner} before.
 *
 * @param forbid throws for an address that may not be reached
 */
export function guardLookup(lookup: LookupFunction, shown: string, forbid = forbidInner): LookupFunction {
  return (host, options, callback) => {
    // All are asked for, so that none is chosen that was not judged.
    lookup(host, { ...options, all: true }, (error, found) => {
      if (error) return callback(error, []);
      try {
        const addresses = found as LookupAddress[];
        for (const { address } of addresses) forbid(address, shown);
        const [first] = addresses;
        if (!first) throw new Error(`${host} has no address`);
        if (options.all) callback(null, addresses);
        else callback(null, first?.address ?? '', first?.family);
      } catch (refusal) {
        callback(refusal as Error, []);
      }
    });
  };
}

/**
 * An address of a host that may be reached: the host itself, or the first that the look-up gives.
 * @param host name or IP address, without brackets
 * @throws ForbiddenAddress, also for an empty host; the error of the look-up
 */
export function outerAddress(host: string, lookup: LookupFunction, shown: string): Promise<string> {
  return new Promise((resolve, reject) => {
    // What connects to no host in particular connects to this one.
    if (host === '') throw new ForbiddenAddress(shown, 'this machine, because it names no host');
    if (isIP(host) !== 0) {
      forbidInner(host, shown);
      return resolve(host);
    }
    guardLookup(lookup, shown)(host, {}, (error, address) => {
      if (error) reject(error);
      else resolve(address as string);
    });
  });
}
