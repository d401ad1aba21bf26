import { pathToFileURL } from 'node:url';
import { messageOf, NamedError } from '#util/named-error.ts';
import type { Algorithm, Detection, Findings, Manifest } from './contract.ts';

/**
 * Loads an algorithm written in TypeScript or JavaScript: `file` is a module whose default export is an
 * `AlgorithmFactory`. What its `detect` gives is checked, so that a slip in it names itself. Throws PLUGIN_INVALID.
 */
export async function loadPlugin(manifest: Manifest, file: string): Promise<Algorithm> {
  const module = (await load(manifest, file)) as { readonly default?: unknown };
  if (typeof module.default !== 'function') {
    throw invalid(manifest, file, 'its default export must be a function that makes the algorithm');
  }
  let algorithm: unknown;
  try {
    algorithm = await module.default(manifest);
  } catch (error) {
    throw invalid(manifest, file, `making the algorithm failed (${messageOf(error)})`, error);
  }
  if (!isAlgorithm(algorithm)) {
    throw invalid(manifest, file, 'the algorithm must have the methods detect and [Symbol.asyncDispose]');
  }
  const plugin = algorithm;
  return {
    isConcurrent: plugin.isConcurrent === true,
    detect: async (frame, context) => checkFindings(await plugin.detect(frame, context)),
    [Symbol.asyncDispose]: async () => plugin[Symbol.asyncDispose](),
  };
}

async function load(manifest: Manifest, file: string): Promise<unknown> {
  try {
    return await import(pathToFileURL(file).href);
  } catch (error) {
    throw invalid(manifest, file, `it cannot be imported (${messageOf(error)})`, error);
  }
}

function isAlgorithm(value: unknown): value is Algorithm {
  if (typeof value !== 'object' || value === null) return false;
  const { detect, [Symbol.asyncDispose]: dispose } = value as Partial<Algorithm>;
  return typeof detect === 'function' && typeof dispose === 'function';
}

/** Passes on what a plug-in found if it has the form of {@link Findings}; throws a TypeError that says what is wrong. */
export function checkFindings(findings: unknown): Findings {
  const objects = (findings as Partial<Findings> | null | undefined)?.objects;
  if (!Array.isArray(objects)) throw new TypeError('detect must give { objects: […] }');
  objects.forEach((object: Partial<Detection> | null, index) => {
    const at = `objects[${index}]`;
    if (typeof object?.label !== 'string') throw new TypeError(`${at}.label must be a string`);
    if (!isShare(object.score)) throw new TypeError(`${at}.score must be a number from 0 to 1`);
    const { box } = object;
    if (!Array.isArray(box) || box.length !== 4 || !box.every((side) => Number.isFinite(side))) {
      throw new TypeError(`${at}.box must be [x, y, width, height]`);
    }
  });
  const { picture } = findings as Partial<Findings>;
  if (
    picture !== undefined &&
    !(picture instanceof Uint8Array && picture[0] === 0xff && picture[1] === 0xd8)
  ) {
    throw new TypeError('picture must be the bytes of a JPEG');
  }
  return findings as Findings;
}

function isShare(value: unknown): boolean {
  return typeof value === 'number' && value >= 0 && value <= 1;
}

function invalid(manifest: Manifest, file: string, reason: string, cause?: unknown): NamedError {
  return new NamedError(
    'PLUGIN_INVALID',
    `The plug-in ${file} of algorithm "${manifest.id}" does not work: ${reason}.`,
    503,
    { cause },
  );
}
