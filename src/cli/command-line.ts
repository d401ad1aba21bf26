import { parseArgs } from 'node:util';
import type { ArgsDef } from 'citty';
import { UsageError } from './environment.ts';

/** What was typed behind the name of a command. */
export interface Typed {
  /** Values of options by their names, `true` for those that take none. */
  readonly options: ReadonlyMap<string, string | true>;
  readonly positionals: readonly string[];
}

/**
 * Takes a command line apart; citty takes every option, we take those there are.
 * @param rest the last of the positionals may be given more than once
 * @throws UsageError in words that say what there is
 */
export function parseCommandLine(
  name: string,
  rawArgs: readonly string[],
  args: ArgsDef = {},
  rest = false,
): Typed {
  const help = `"sluice ${name} --help" says what there is.`;
  const known = Object.entries(args).filter(([, arg]) => arg.type !== 'positional');
  const places = Object.entries(args).filter(([, arg]) => arg.type === 'positional');
  const { tokens } = parseArgs({
    args: [...rawArgs],
    strict: false,
    tokens: true,
    options: Object.fromEntries(
      known.map(
        ([option, arg]) => [option, { type: arg.type === 'boolean' ? 'boolean' : 'string' }] as const,
      ),
    ),
  });
  const options = new Map<string, string | true>();
  for (const token of tokens) {
    if (token.kind !== 'option') continue;
    const option = known.find(([one]) => one === token.name);
    if (!option) throw new UsageError(`There is no option "${token.rawName}". ${help}`);
    const { value, inlineValue } = token;
    if (option[1].type === 'boolean') {
      if (value !== undefined) throw new UsageError(`The option "${token.rawName}" takes no value. ${help}`);
      options.set(token.name, true);
      continue;
    }
    // Without a value, parseArgs takes the next option for it; a number may be negative.
    if (value === undefined || (!inlineValue && /^-(?!\d)/.test(value))) {
      throw new UsageError(`The option "${token.rawName}" needs a value. ${help}`);
    }
    options.set(token.name, value);
  }
  const positionals = tokens.flatMap((token) => (token.kind === 'positional' ? token.value : []));
  const missing = places[positionals.length];
  if (missing)
    throw new UsageError(`"sluice ${name}" needs ${missing[1].description?.toLowerCase()}. ${help}`);
  const extra = rest ? undefined : positionals[places.length];
  if (extra !== undefined) throw new UsageError(`"sluice ${name}" does not take "${extra}". ${help}`);
  return { options, positionals };
}
