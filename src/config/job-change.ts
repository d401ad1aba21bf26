import type { z } from 'zod';
import { NamedError } from '#util/named-error.ts';
import { type JobInputEntry, type JobOutputEntry, streamOfAddress } from './job-address.ts';
import {
  absoluteJob,
  addressesOf,
  type JobEntry,
  type JobType,
  jobSchema,
  jobTypes,
  sideOf,
  withAddresses,
} from './job-schema.ts';
import { meantAddress, meantAddresses } from './shown-address.ts';
import { sourceKind } from './source.ts';

/** Keys of a job as somebody sends them; a key that is `null` is to be as by default. */
export type JobKeys = Readonly<Record<string, unknown>>;

type Address = JobInputEntry | JobOutputEntry;

/**
 * The job that somebody wants over the API, in place of the one that there is, if any. Each address that is another one
 * than before is restricted, and nothing else: what was written by hand stays trusted for as long as it is the same under
 * the same key.
 *
 * @param how `folder`: what paths are relative to. `whole`: all keys that are not in the wish are as by default; else as they are, unless the type is another one
 * @throws NamedError REQUEST_INVALID that names the key and the rule; SECRET_MISSING
 */
export function wishedJob(
  name: string,
  before: JobEntry | undefined,
  wish: JobKeys,
  { whole, folder }: { readonly whole: boolean; readonly folder: string },
): JobEntry {
  const { type = before?.type } = wish;
  // Keys of one type mean something else, or nothing, in another.
  const alike = before !== undefined && before.type === type ? before : undefined;
  const kept: JobKeys = alike && !whole ? alike : {};
  const merged = { ...kept, type, ...withSecrets(type, wish, alike) };
  const present = Object.entries(merged).filter(([, value]) => value !== null && value !== undefined);
  const parsed = jobSchema.safeParse(Object.fromEntries(present));
  if (!parsed.success) throw invalid(name, parsed.error.issues);
  return marked(absoluteJob(parsed.data, folder), alike);
}

/** Addresses that are not in `before` under their key, with these keys. */
export function newAddresses(after: JobEntry, before: JobEntry | undefined): ReturnType<typeof addressesOf> {
  return addressesOf(after).filter(({ key, address }) => !isKnown(key, address, before));
}

/** Keys of what may lead nowhere but where the API may lead: `input`, `outputs[0]`. */
export function restrictedAddresses(entry: JobEntry): string[] {
  return addressesOf(entry).flatMap(({ key, address }) => (address.restricted ? key : []));
}

/** Marks what came over the API, and nothing else. */
function marked(entry: JobEntry, before: JobEntry | undefined): JobEntry {
  return withAddresses(entry, (address, _side, key) => {
    const known = knownAs(key, address, before);
    return { ...address, restricted: known ? known.restricted : leadsSomewhere(address) };
  });
}

function isKnown(key: string, address: Address, before: JobEntry | undefined): boolean {
  return knownAs(key, address, before) !== undefined;
}

/** The address of `before` that is the same; those of a list are one place. */
function knownAs(key: string, { url }: Address, before: JobEntry | undefined): Address | undefined {
  const place = (of: string) => of.replace(/\[.*$/, '');
  const all = before ? addressesOf(before) : [];
  return all.find((one) => place(one.key) === place(key) && one.address.url === url)?.address;
}

/** Neither the test picture nor a stream of this server does. */
function leadsSomewhere({ url }: Address): boolean {
  return streamOfAddress(url) === undefined && sourceKind(url) !== 'test';
}

/** A wish with the secrets that stand in its addresses as `***`. */
function withSecrets(type: unknown, wish: JobKeys, before: JobEntry | undefined): JobKeys {
  const known = jobTypes.find((one) => one === type);
  if (!known) return wish;
  const stored = before as JobKeys | undefined;
  const entries = Object.entries(wish).map(([key, value]) => [key, meant(known, key, value, stored?.[key])]);
  return Object.fromEntries(entries) as JobKeys;
}

function meant(type: JobType, key: string, value: unknown, stored: unknown): unknown {
  if (sideOf(type, key) === undefined) return value;
  if (!Array.isArray(value)) {
    const url = urlOf(value);
    return url === undefined ? value : withUrl(value, meantAddress(url, urlOf(stored), key));
  }
  const given = value.map((one) => urlOf(one) ?? '');
  const known = Array.isArray(stored) ? stored.flatMap((one) => urlOf(one) ?? []) : [];
  const urls = meantAddresses(given, known, key);
  return value.map((one: unknown, at) => (given[at] === '' ? one : withUrl(one, urls[at] ?? '')));
}

function urlOf(value: unknown): string | undefined {
  const url =
    typeof value === 'string' ? value : (value as { readonly url?: unknown } | null | undefined)?.url;
  return typeof url === 'string' ? url : undefined;
}

/** Who sends an address has no say in whether it is trusted. */
function withUrl(value: unknown, url: string): unknown {
  return typeof value === 'string' ? url : { ...(value as object), url, restricted: undefined };
}

function invalid(name: string, issues: readonly z.core.$ZodIssue[]): NamedError {
  const sentences = issues.map(({ path, message }) => `"${['jobs', name, ...path].join('.')}" ${message}.`);
  return new NamedError('REQUEST_INVALID', [...new Set(sentences)].join(' '));
}
