import { dirname } from 'node:path';
import type { JobInfo, JobsAccess } from '#api/dependencies.ts';
import { editEntry } from '#config/edit-entries.ts';
import { streamOfAddress } from '#config/job-address.ts';
import { newAddresses, wishedJob } from '#config/job-change.ts';
import { type JobEntry, jobNameTrouble } from '#config/job-schema.ts';
import { jobEntries } from '#config/job-text.ts';
import { jobTrouble } from '#config/load.ts';
import type { Config } from '#config/schema.ts';
import { parsePublishedName } from '#hub/name.ts';
import { type Jobs, unknownJob } from '#jobs/jobs.ts';
import { planJob } from '#jobs/plan.ts';
import { NamedError } from '#util/named-error.ts';
import { jobSettings } from './configured-jobs.ts';
import { type EntryFile, editFile } from './edit-file.ts';
import { checkJobAddresses } from './source-policy.ts';

export interface JobEntriesOptions {
  /** Undefined before the server has begun. */
  readonly jobs: () => Pick<Jobs, 'list' | 'start'> | undefined;
  readonly file: EntryFile;
  /** The configuration at work. */
  readonly config: () => Config;
  readonly check?: typeof checkJobAddresses;
}

/** The jobs of a server, as the API reads, writes, starts and stops them. */
export class JobEntries implements JobsAccess {
  readonly #options: JobEntriesOptions;

  constructor(options: JobEntriesOptions) {
    this.#options = options;
  }

  list(): readonly JobInfo[] {
    return this.#options.jobs()?.list() ?? [];
  }

  entries(): ReadonlyMap<string, JobEntry> {
    return new Map(Object.entries(this.#options.config().jobs));
  }

  /**
   * Sets a job, and has the file say so.
   * @returns whether there was none
   * @throws NamedError JOB_NAME_INVALID, REQUEST_INVALID, SECRET_MISSING, SOURCE_FORBIDDEN, CODEC_UNSUPPORTED
   *   (415), JOB_EXISTS (412), JOB_UNKNOWN, what `may` throws, and what `ConfigurationFile.edit` throws
   */
  async set(name: string, { keys, whole, fresh, may }: Parameters<JobsAccess['set']>[1]): Promise<boolean> {
    const rule = jobNameTrouble(name);
    if (rule !== undefined) throw new NamedError('JOB_NAME_INVALID', `"${name}" ${rule}.`);
    let created = false;
    await editFile(this.#options.file, async (text, config, file) => {
      const before = entryOf(config, name);
      created = before === undefined;
      if (before && fresh) throw exists(name);
      if (!before && !whole) throw unknownJob(name);
      const after = wishedJob(name, before, keys, { whole, folder: dirname(file) });
      const trouble = jobTrouble(name, after, { streamName: parsePublishedName });
      if (trouble !== undefined) throw new NamedError('REQUEST_INVALID', trouble);
      // What cannot be done as it is wished is refused, and not saved.
      planJob(jobSettings(name, after, config));
      const added = newAddresses(after, before);
      for (const { side, address } of added) {
        const stream = streamOfAddress(address.url);
        if (stream !== undefined) await may(side === 'input' ? 'read' : 'publish', stream);
      }
      const { check = checkJobAddresses } = this.#options;
      await check(added, config);
      return editEntry(jobEntries, text, name, before, after);
    });
    return created;
  }

  /**
   * Begins a job, also one that has ended; it is begun with the server from then on.
   * @throws NamedError JOB_UNKNOWN, and what `ConfigurationFile.edit` throws
   */
  async start(name: string): Promise<void> {
    await this.#enable(name, true);
    this.#options.jobs()?.start(name);
  }

  /**
   * Ends a job, which does not begin with the server any more.
   * @throws NamedError JOB_UNKNOWN, and what `ConfigurationFile.edit` throws
   */
  stop(name: string): Promise<void> {
    return this.#enable(name, false);
  }

  /**
   * Takes a job out of the file.
   * @throws NamedError JOB_UNKNOWN, and what `ConfigurationFile.edit` throws
   */
  async remove(name: string): Promise<void> {
    await editFile(this.#options.file, (text, config) => {
      const before = entryOf(config, name);
      if (!before) throw unknownJob(name);
      return editEntry(jobEntries, text, name, before, undefined);
    });
  }

  async #enable(name: string, enabled: boolean): Promise<void> {
    await editFile(this.#options.file, (text, config) => {
      const before = entryOf(config, name);
      if (!before) throw unknownJob(name);
      return before.enabled === enabled
        ? text
        : editEntry(jobEntries, text, name, before, { ...before, enabled });
    });
  }
}

function entryOf({ jobs }: Config, name: string): JobEntry | undefined {
  return Object.hasOwn(jobs, name) ? jobs[name] : undefined;
}

function exists(name: string): NamedError {
  return new NamedError(
    'JOB_EXISTS',
    `There is a job "${name}" already. Choose another name, or change that one.`,
    412,
  );
}
