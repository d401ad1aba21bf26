import { isDeepStrictEqual } from 'node:util';
import type { Parameters } from '#algorithms/contract.ts';
import { NamedError } from '#util/named-error.ts';
import type { Holder } from './contract.ts';
import type { Run } from './run.ts';

/**
 * Makes sure that who asks for a run gets the parameters that it named: the run has them already, or goes on with them
 * where nobody else holds it. `asked` are all parameters, those that were not named by their defaults.
 * @throws NamedError RUN_CONFLICT
 */
export function agree(run: Run, named: Parameters, asked: Parameters, holder: Holder): void {
  const differing = Object.keys(named).filter(
    (name) => !isDeepStrictEqual(run.parameters[name], asked[name]),
  );
  if (differing.length === 0) return;
  const others = run.leasesOfOthers(holder);
  if (others.length === 0) {
    // What the asker did not name stays as it is.
    const wanted = Object.fromEntries(differing.map((name) => [name, asked[name]]));
    run.reconfigure({ ...run.parameters, ...wanted });
    return;
  }
  const name = differing[0] ?? '';
  throw new NamedError(
    'RUN_CONFLICT',
    `Run "${run.id}" has "${name}" ${JSON.stringify(run.parameters[name])}, not ${JSON.stringify(asked[name])}, ` +
      `and is held by others (${others.length}). Ask without "${name}" to share it, or stop it first.`,
    409,
  );
}

/** The configuration wants other parameters: the run goes on with them, unless one of its askers named some. */
export function adjust(run: Run, wanted: Parameters): void {
  if (run.leases.values().some(({ insists }) => insists)) return;
  if (!isDeepStrictEqual(run.parameters, wanted)) run.reconfigure(wanted);
}
