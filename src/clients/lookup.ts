import { type LookupAddress, type LookupOptions, lookup as systemLookup } from 'node:dns';
import { Resolver } from 'node:dns/promises';
import { callbackify } from 'node:util';

/** Look-ups by the system that may be under way at a time. */
const SYSTEM_LOOKUPS = 2;

let running = 0;
const queue: (() => void)[] = [];

/**
 * The addresses of a host, for `net.connect`. The system's look-up (hosts file, mDNS, DNS) holds a thread of Node's small
 * pool for as long as a dead name server lets it wait, and the pool is everybody's; so only two of these run at a time,
 * and a DNS query that needs no thread runs beside: the first that finds something wins.
 */
export function lookup(
  host: string,
  options: LookupOptions,
  callback: (error: NodeJS.ErrnoException | null, found: string | LookupAddress[], family?: number) => void,
): void {
  find(host, (error, addresses) => {
    const [first] = addresses ?? [];
    if (error) callback(errorOf(error), []);
    else if (options.all) callback(null, addresses);
    else callback(null, first?.address ?? '', first?.family);
  });
}

const find = callbackify((host: string): Promise<LookupAddress[]> => {
  const system = inTurn(() => bySystem(host));
  // Names without a dot are the system's own.
  return host.includes('.') ? Promise.any([system, byQuery(host)]) : system;
});

function errorOf(error: Error): NodeJS.ErrnoException {
  return error instanceof AggregateError ? (error.errors[0] as Error) : error;
}

function bySystem(host: string): Promise<LookupAddress[]> {
  return new Promise((resolve, reject) => {
    systemLookup(host, { all: true }, (error, addresses) => (error ? reject(error) : resolve(addresses)));
  });
}

async function byQuery(host: string): Promise<LookupAddress[]> {
  const resolver = new Resolver({ timeout: 2000, tries: 2 });
  const addresses = await resolver.resolve4(host);
  if (addresses.length === 0) throw new Error(`${host} has no address`);
  return addresses.map((address) => ({ address, family: 4 }));
}

async function inTurn<T>(work: () => Promise<T>): Promise<T> {
  if (running >= SYSTEM_LOOKUPS) await new Promise<void>((resolve) => queue.push(resolve));
  else running++;
  try {
    return await work();
  } finally {
    const next = queue.shift();
    if (next) next();
    else running--;
  }
}
