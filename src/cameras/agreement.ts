import { isDeepStrictEqual } from 'node:util';
import type { Parameters } from '#algorithms/contract.ts';
import { NamedError } from '#util/named-error.ts';
import type { FrameSettings, Holder } from './contract.ts';
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

/**
 * The same of how its frames are given out: who first asked for them says how.
 * @throws NamedError RUN_CONFLICT
 */
export function agreeOnFrames(run: Run, asked: FrameSettings | undefined, holder: Holder): void {
  if (asked === undefined || isDeepStrictEqual(run.frames, asked)) return;
  const others = run.leasesOfOthers(holder).filter(({ insistsOnFrames }) => insistsOnFrames);
  if (others.length === 0) return run.giveFrames(asked);
  throw new NamedError(
    'RUN_CONFLICT',
    `Run "${run.id}" gives its frames as ${JSON.stringify(run.frames)}, and is held so by others (${others.length}). ` +
      'Ask without "frames" to share them, or stop it first.',
    409,
  );
}

/** The configuration wants other parameters: the run goes on with them, unless one of its askers named some. */
export function adjust(run: Run, wanted: Parameters, frames: FrameSettings | undefined): void {
  const insistsOnFrames = run.leases.values().some((lease) => lease.insistsOnFrames);
  if (!insistsOnFrames && !isDeepStrictEqual(run.frames, frames)) run.giveFrames(frames);
  if (run.leases.values().some(({ insists }) => insists)) return;
  if (!isDeepStrictEqual(run.parameters, wanted)) run.reconfigure(wanted);
}
