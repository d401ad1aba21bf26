import { isDeepStrictEqual } from 'node:util';
import type { YAMLMap } from 'yaml';
import { type EntryKind, pairOf } from './edit-entries.ts';
import type { JobInputEntry, JobOutputEntry } from './job-address.ts';
import { type JobEntry, jobDefault, jobTypes, sideOf } from './job-schema.ts';
import { explainAddresses, storedAddress } from './stream-text.ts';

type Address = JobInputEntry | JobOutputEntry;

/** Entries of `jobs`. */
export const jobEntries: EntryKind<JobEntry> = {
  map: 'jobs',
  stored(entry, key) {
    const value: unknown = (entry as Readonly<Record<string, unknown>>)[key];
    if (isDeepStrictEqual(value, jobDefault(entry.type, key))) return undefined;
    if (sideOf(entry.type, key) === undefined) return value;
    return Array.isArray(value) ? value.map(storedAddress) : storedAddress(value as Address);
  },
  explain(map: YAMLMap) {
    if (map.flow) return;
    for (const key of ADDRESSES) explainAddresses(pairOf(map, key)?.value);
  },
};

/** Keys that addresses stand below in some type of job. */
const ADDRESSES = ['input', 'output', 'video', 'audio', 'outputs'].filter((key) =>
  jobTypes.some((type) => sideOf(type, key) !== undefined),
);
