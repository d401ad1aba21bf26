import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { type Document, isMap, isPair, isScalar, LineCounter, parseDocument } from 'yaml';
import type { z } from 'zod';
import { messageOf, NamedError } from '#util/named-error.ts';
import { accessKeys } from './access-schema.ts';
import { forwardKeys } from './forward-schema.ts';
import { hookKeys } from './hook-schema.ts';
import { iceServerKeys } from './ice-server-schema.ts';
import { jobInputKeys, jobOutputKeys, streamOfAddress } from './job-address.ts';
import {
  absoluteJob,
  addressesOf,
  type JobEntry,
  jobKeys,
  jobNameTrouble,
  jobTypes,
  sideOf,
} from './job-schema.ts';
import { isLoopback } from './loopback.ts';
import { nearest } from './nearest.ts';
import { findCollision } from './ports.ts';
import { type Config, configSchema, defaultConfig } from './schema.ts';
import { sourceKind } from './source.ts';
import { isStreamPattern, patternTrouble } from './stream-pattern.ts';
import { streamKeys } from './stream-schema.ts';

/** Taken when no path is given and it is there. */
export const DEFAULT_FILE = 'sluice.yml';

export interface LoadOptions {
  /** Throws when a stream may not have this name; the rule is the hub's. */
  readonly streamName?: (name: string) => unknown;
}

/**
 * Reads the configuration file. Without a path: `./sluice.yml` where there is one, else the defaults.
 *
 * @throws NamedError CONFIG_MISSING, CONFIG_UNKNOWN_KEY, CONFIG_INVALID, CONFIG_NOT_LOOPBACK
 */
export async function loadConfig(path?: string, options: LoadOptions = {}): Promise<Config> {
  const file = path ?? DEFAULT_FILE;
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    if (path === undefined && (error as NodeJS.ErrnoException).code === 'ENOENT') return defaultConfig();
    throw new NamedError(
      'CONFIG_MISSING',
      `The configuration file ${file} cannot be read (${messageOf(error)}). Give the path of one that can, or leave --config out to run with the defaults.`,
      500,
      { cause: error },
    );
  }
  return parseConfig(text, file, options);
}

/**
 * The plain value behind a document. An alias without its anchor, or one that unfolds to millions of values, shows only
 * here.
 */
function valueOf(document: Document, file: string): unknown {
  try {
    return document.toJS();
  } catch (error) {
    const reason = messageOf(error).replace(/\.$/, '');
    throw new NamedError('CONFIG_INVALID', `${file}: this is no YAML: ${reason}.`, 500, { cause: error });
  }
}

/** Checks the text of a configuration file; `file` names it in errors and anchors relative paths. */
export function parseConfig(text: string, file: string, options: LoadOptions = {}): Config {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, logLevel: 'error' });
  const place = (offset: number | undefined) =>
    offset === undefined ? file : `${file}, line ${lines.linePos(offset).line}`;

  const [broken] = document.errors;
  if (broken) {
    const reason = broken.message.split('\n')[0]?.replace(/ at line.*$/, '') ?? '';
    throw new NamedError('CONFIG_INVALID', `${place(broken.pos[0])}: this is no YAML: ${reason}.`, 500);
  }

  const parsed = configSchema.safeParse(withoutNulls(valueOf(document, file) ?? {}));
  if (!parsed.success) throw problem(parsed.error.issues, document, lines, place);
  const config = parsed.data;

  if (!isLoopback(config.host) && !asksWho(config)) {
    throw new NamedError(
      'CONFIG_NOT_LOOPBACK',
      `${place(offsetOf(document, ['host']))}: "host" is ${config.host}, which others can reach, and no users are set, so anybody could do anything. Either set "users" (docs/users.md), or leave "host" at 127.0.0.1 and put a proxy with a login in front.`,
      500,
    );
  }
  const collision = findCollision(config);
  if (collision) {
    const { keys, sentence } = collision;
    const offsets = keys.map((key) => keyOffset(document, key.slice(0, -1), key.at(-1) ?? ''));
    // Where it was written, rather than where the other has its default; the lower one where both were.
    const offset = offsets.reduce(
      (a, b) => (b === undefined || (a !== undefined && a > b) ? a : b),
      undefined,
    );
    throw new NamedError('CONFIG_INVALID', `${place(offset)}: ${sentence}`, 500);
  }
  for (const [name, stream] of Object.entries(config.streams)) {
    const trouble = isStreamPattern(name) ? patternTrouble(name, stream) : nameTrouble(name, options);
    if (trouble === undefined) continue;
    const where = place(keyOffset(document, ['streams'], name));
    throw new NamedError('CONFIG_INVALID', `${where}: ${trouble}`, 500);
  }
  for (const [name, job] of Object.entries(config.jobs)) {
    const trouble = jobTrouble(name, job, options);
    if (trouble === undefined) continue;
    const where = place(keyOffset(document, ['jobs'], name));
    throw new NamedError('CONFIG_INVALID', `${where}: ${trouble}`, 500);
  }
  return withAbsolutePaths(config, dirname(resolve(file)));
}

/** What is wrong with a job that the rules of its keys do not show, in a sentence; undefined when nothing is. */
export function jobTrouble(name: string, job: JobEntry, options: LoadOptions): string | undefined {
  const rule = jobNameTrouble(name);
  if (rule !== undefined) return `"jobs.${name}" ${rule}.`;
  const own = addressesOf(job).flatMap(({ side, address }) =>
    side === 'output' ? (streamOfAddress(address.url) ?? []) : [],
  );
  for (const { key, side, address } of addressesOf(job)) {
    const read = side === 'input' ? streamOfAddress(address.url) : undefined;
    if (read !== undefined && (own.includes(read) || read.split('/', 2).join('/') === `jobs/${name}`))
      return `"jobs.${name}.${key}" is a stream that this job publishes itself.`;
    const stream = side === 'output' ? streamOfAddress(address.url) : undefined;
    const trouble = stream === undefined ? undefined : nameTrouble(stream, options);
    if (trouble !== undefined) return `"jobs.${name}.${key}": ${trouble}`;
  }
  return undefined;
}

function nameTrouble(name: string, { streamName }: LoadOptions): string | undefined {
  try {
    streamName?.(name);
    return undefined;
  } catch (error) {
    return messageOf(error);
  }
}

/** Whether anybody is asked who they are; else everybody may do everything. */
export function asksWho({ users, tokens, jwt, authHook }: Config): boolean {
  return users.length > 0 || tokens.length > 0 || jwt !== undefined || authHook !== undefined;
}

function withAbsolutePaths(config: Config, folder: string): Config {
  const absolute = (source: string) => (sourceKind(source) === 'path' ? resolve(folder, source) : source);
  const streams = Object.entries(config.streams).map(([name, stream]) => {
    const { source, fill, standby } = stream;
    return [
      name,
      {
        ...stream,
        ...(source === undefined ? {} : { source: absolute(source) }),
        ...(fill === undefined ? {} : { fill: absolute(fill) }),
        ...(standby === undefined ? {} : { standby: absolute(standby) }),
      },
    ];
  });
  const jobs = Object.entries(config.jobs).map(([name, job]) => [name, absoluteJob(job, folder)]);
  return {
    ...config,
    streams: Object.fromEntries(streams) as Config['streams'],
    jobs: Object.fromEntries(jobs) as Config['jobs'],
    outputs: { ...config.outputs, folders: config.outputs.folders.map((path) => resolve(folder, path)) },
    sources: { ...config.sources, folders: config.sources.folders.map((path) => resolve(folder, path)) },
    tls: {
      cert: config.tls.cert && resolve(folder, config.tls.cert),
      key: config.tls.key && resolve(folder, config.tls.key),
    },
    ...(config.jwt && !/^https?:\/\//i.test(config.jwt.jwks)
      ? { jwt: { ...config.jwt, jwks: resolve(folder, config.jwt.jwks) } }
      : {}),
    algorithms: {
      ...config.algorithms,
      folders: config.algorithms.folders.map((path) => resolve(folder, path)),
    },
  };
}

/** A key without a value counts as not given: what stands below it may be commented out. */
function withoutNulls(value: unknown): unknown {
  if (value === null) return undefined;
  if (typeof value !== 'object' || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, withoutNulls(inner)]));
}

/** One error for all that is wrong, a sentence a line, in the order of the file. */
function problem(
  issues: readonly z.core.$ZodIssue[],
  document: Document,
  lines: LineCounter,
  place: (offset: number | undefined) => string,
): NamedError {
  const found = meantIssues(issues).flatMap(({ issue, path }) => {
    if (issue.code !== 'unrecognized_keys') {
      const offset = offsetOf(document, path);
      const subject = path.length > 0 ? `"${path.join('.')}"` : 'The file';
      return [{ code: 'CONFIG_INVALID', offset, sentence: `${subject} ${issue.message}.` }];
    }
    const known = knownKeys(path, document);
    return issue.keys.map((key) => ({
      code: 'CONFIG_UNKNOWN_KEY',
      offset: keyOffset(document, path, key),
      sentence: `there is no key "${[...path, key].join('.')}". ${suggestion(path, key, known)}`,
    }));
  });
  // A misspelt key explains the missing one of the same map, so it comes first.
  const order = ({ offset, code }: (typeof found)[number]) =>
    lines.linePos(offset ?? 0).line * 2 + (code === 'CONFIG_UNKNOWN_KEY' ? 0 : 1);
  found.sort((a, b) => order(a) - order(b));
  const sentences = found.map(({ offset, sentence }) => `${place(offset)}: ${sentence}`);
  return new NamedError(found[0]?.code ?? 'CONFIG_INVALID', sentences.join('\n'), 500);
}

interface Located {
  readonly issue: z.core.$ZodIssue;
  readonly path: readonly PropertyKey[];
}

/** What is wrong, without the alternatives that the author did not mean. */
export function meantIssues(issues: readonly z.core.$ZodIssue[]): Located[] {
  return issues.flatMap(flatten);
}

/** Of a choice (id or map) the alternative that the author meant: the one whose type was right. */
function flatten(issue: z.core.$ZodIssue): Located[] {
  if (issue.code === 'invalid_union') {
    const meant = issue.errors.find((branch) =>
      branch.every((inner) => inner.path.length > 0 || inner.code !== 'invalid_type'),
    );
    if (meant) {
      return meant
        .flatMap(flatten)
        .map((inner) => ({ issue: inner.issue, path: [...issue.path, ...inner.path] }));
    }
  }
  return [{ issue, path: issue.path }];
}

function suggestion(path: readonly PropertyKey[], key: string, known: readonly string[]): string {
  const near = nearest(key, known);
  if (near !== undefined) return `Did you mean "${[...path, near].join('.')}"?`;
  const where = path.length > 0 ? ` of "${path.join('.')}"` : '';
  return `The keys${where} are: ${known.join(', ')}.`;
}

/** The keys that the schema knows below a path. */
function knownKeys(path: readonly PropertyKey[], document: Document): string[] {
  if (path[0] === 'streams') {
    if (path.length === 2) return [...streamKeys];
    return path[2] === 'forward' ? [...forwardKeys] : ['algorithm', 'parameters'];
  }
  if (path[0] === 'jobs') {
    const type = document.getIn(['jobs', path[1], 'type']);
    const known = jobTypes.find((one) => one === type);
    if (path.length === 2 || !known) return [...jobKeys(type)];
    return [...(sideOf(known, String(path[2])) === 'input' ? jobInputKeys : jobOutputKeys)];
  }
  if (path[0] === 'hooks') return [...hookKeys];
  if (path[1] === 'iceServers') return [...iceServerKeys];
  const access = accessKeys(path);
  if (access) return access;
  const top = configSchema.shape;
  if (path.length === 0) return Object.keys(top);
  return Object.keys(defaultConfig()[path[0] as keyof Config] as object);
}

/** Where the value at `path` begins, or the nearest value around it that is there. */
function offsetOf(document: Document, path: readonly PropertyKey[]): number | undefined {
  for (let length = path.length; length > 0; length--) {
    const parent = path.slice(0, length - 1);
    const offset = keyOffset(document, parent, String(path[length - 1]));
    if (offset !== undefined) return offset;
    const node = document.getIn(path.slice(0, length), true) as
      | { range?: [number, number, number] }
      | undefined;
    if (node?.range) return node.range[0];
  }
  return undefined;
}

/** Where the key `key` of the map at `path` stands. */
function keyOffset(document: Document, path: readonly PropertyKey[], key: string): number | undefined {
  const map = path.length > 0 ? document.getIn(path, true) : document.contents;
  if (!isMap(map)) return undefined;
  const pair = map.items.find((item) => isPair(item) && isScalar(item.key) && String(item.key.value) === key);
  return isScalar(pair?.key) ? pair.key.range?.[0] : undefined;
}
