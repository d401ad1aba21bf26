import type { FoundManifest } from '#algorithms/manifest.ts';
import { resolveParameters } from '#algorithms/parameters.ts';
import { NamedError } from '#util/named-error.ts';
import type { DefaultWish } from './contract.ts';

/** The algorithms that can be asked for, by id. */
export type Catalogue = ReadonlyMap<string, FoundManifest>;

/** @throws NamedError ALGORITHM_UNKNOWN */
export function findAlgorithm(algorithms: Catalogue, id: string): FoundManifest {
  const found = algorithms.get(id);
  if (found) return found;
  const ids = [...algorithms.keys()].join(', ');
  throw new NamedError(
    'ALGORITHM_UNKNOWN',
    ids === ''
      ? `There is no algorithm "${id}": no folder of "algorithms.folders" has any. Add the folder of its manifest there.`
      : `There is no algorithm "${id}". There are: ${ids}.`,
    404,
  );
}

/**
 * Makes sure that an algorithm may run with these parameters.
 * @throws NamedError ALGORITHM_UNKNOWN, PARAMETERS_INVALID
 */
export function checkDefault(algorithms: Catalogue, { algorithm, parameters }: DefaultWish): void {
  resolveParameters(findAlgorithm(algorithms, algorithm).manifest, parameters ?? {});
}
