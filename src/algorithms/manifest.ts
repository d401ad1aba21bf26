import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { messageOf, NamedError } from '#util/named-error.ts';
import type { Manifest } from './contract.ts';
import { manifestSchema } from './manifest-schema.ts';
import { checkParameterDefaults } from './parameters.ts';

export interface FoundManifest {
  readonly manifest: Manifest;
  /** Absolute path of the manifest file. */
  readonly path: string;
}

/**
 * Reads and checks a manifest file, without touching the model or module it names.
 * Throws ALGORITHM_MANIFEST_INVALID (names file, field and rule).
 */
export async function readManifest(path: string): Promise<Manifest> {
  let json: unknown;
  try {
    json = JSON.parse(await readFile(path, 'utf8'));
  } catch (error) {
    throw invalid(path, `cannot be read as JSON (${messageOf(error)})`, error);
  }
  const parsed = manifestSchema.safeParse(json);
  if (!parsed.success) {
    const issues = parsed.error.issues.map(({ path: field, message }) => {
      const name = field.length > 0 ? `"${field.join('.')}"` : 'the whole';
      return `${name}: ${message}`;
    });
    throw invalid(path, issues.join('; '), parsed.error);
  }
  const { $schema: _, ...manifest } = parsed.data;
  const fault = checkParameterDefaults(manifest);
  if (fault !== undefined) throw invalid(path, fault);
  return manifest;
}

/**
 * Reads a manifest and makes sure that what it names is there and whole. Throws ALGORITHM_MANIFEST_INVALID,
 * MODEL_MISSING, or MODEL_CORRUPT where the file does not have the checksum the manifest gives.
 */
export async function loadManifest(path: string): Promise<Manifest> {
  const manifest = await readManifest(path);
  const { adapter } = manifest;
  if (adapter.kind === 'http') return manifest;
  const file = adapterFile(adapter, path);
  const isFile = await stat(file).then(
    (entry) => entry.isFile(),
    () => false,
  );
  if (!isFile) {
    throw new NamedError(
      'MODEL_MISSING',
      `Algorithm "${manifest.id}" needs the file ${file}, which is not there. ` +
        `Put it there, or name the right file in "adapter.file" of ${path}.`,
      503,
    );
  }
  if (adapter.kind === 'onnx' && adapter.sha256 !== undefined) {
    const hash = createHash('sha256');
    await pipeline(createReadStream(file), hash);
    const actual = hash.digest('hex');
    if (actual !== adapter.sha256) {
      throw new NamedError(
        'MODEL_CORRUPT',
        `The file ${file} of algorithm "${manifest.id}" has the SHA-256 ${actual}, but ${path} expects ` +
          `${adapter.sha256}. Fetch the file again, or write the new checksum into "adapter.sha256".`,
        503,
      );
    }
  }
  return manifest;
}

/** Absolute path of the model or module that a manifest (standing at `path`) names. */
export function adapterFile({ file }: { readonly file: string }, path: string): string {
  return resolve(dirname(path), file);
}

/**
 * All algorithms described in `folders`: each `*.json` of a folder, and each `manifest.json` of its subfolders. Throws
 * ALGORITHM_FOLDER_MISSING, ALGORITHM_MANIFEST_INVALID, or ALGORITHM_DUPLICATE when two files give the same id.
 */
export async function findManifests(folders: readonly string[]): Promise<Map<string, FoundManifest>> {
  const found = new Map<string, FoundManifest>();
  for (const folder of new Set(folders.map((name) => resolve(name)))) {
    for (const path of await manifestFiles(folder)) {
      const manifest = await readManifest(path);
      const other = found.get(manifest.id);
      if (other !== undefined) {
        throw new NamedError(
          'ALGORITHM_DUPLICATE',
          `Both ${other.path} and ${path} describe an algorithm "${manifest.id}". Give one of them another "id".`,
          409,
        );
      }
      found.set(manifest.id, { manifest, path });
    }
  }
  return found;
}

async function manifestFiles(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch((error: unknown) => {
    throw new NamedError(
      'ALGORITHM_FOLDER_MISSING',
      `The folder of algorithms ${folder} cannot be read (${messageOf(error)}). Create it or take it out of the configuration.`,
      400,
      { cause: error },
    );
  });
  const files: string[] = [];
  for (const entry of entries.toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
    const path = join(folder, entry.name);
    if (entry.name.endsWith('.json')) {
      files.push(path);
    } else if (!entry.isFile()) {
      const inner = join(path, 'manifest.json');
      if (await exists(inner)) files.push(inner);
    }
  }
  return files;
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

function invalid(path: string, reason: string, cause?: unknown): NamedError {
  return new NamedError('ALGORITHM_MANIFEST_INVALID', `Algorithm manifest ${path}: ${reason}.`, 400, {
    cause,
  });
}
