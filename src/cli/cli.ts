import { debuglog, parseArgs as parseTokens } from 'node:util';
import { type ArgsDef, type CommandDef, defineCommand, renderUsage, runCommand } from 'citty';
import { version } from '#app/version.ts';
import { messageOf } from '#util/named-error.ts';
import { type CliEnvironment, UsageError } from './environment.ts';
import { hashCommand } from './hash.ts';
import { probeCommand } from './probe.ts';
import { serveCommand } from './serve.ts';

/** `NODE_DEBUG=sluice` shows where an error came from. */
const debug = debuglog('sluice');

/**
 * Runs a command line. Resolves with the status for the process: 0 done, 1 failed (with a sentence that says why),
 * 2 when there is no such command or option.
 */
export async function runCli(rawArgs: readonly string[], environment: CliEnvironment): Promise<number> {
  const commands: Record<string, CommandDef> = {
    serve: serveCommand(environment),
    probe: probeCommand(environment),
    hash: hashCommand(environment),
    version: defineCommand({
      meta: { name: 'version', description: 'Say which version this is' },
      run: () => environment.print(`sluice ${version}, Node ${process.version}`),
    }),
  };
  const main = defineCommand({
    meta: { name: 'sluice', version, description: 'Live video in, live video out, and algorithms that look' },
    subCommands: commands,
  });
  const [name = '', ...rest] = rawArgs;
  try {
    if (name === '' || isHelp(name)) {
      environment.print(await usage(main));
      return name === '' ? 2 : 0;
    }
    if (name === '--version' || name === '-v') return await runCli(['version'], environment);
    const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
    if (!command) {
      const known = Object.keys(commands).join(', ');
      const kind = name.startsWith('-') ? 'option' : 'command';
      throw new UsageError(`There is no ${kind} "${name}". The commands are: ${known}.`);
    }
    if (rest.some(isHelp)) {
      environment.print(await usage(command, main));
      return 0;
    }
    checkArgs(name, rest, command.args as ArgsDef | undefined);
    await runCommand(command, { rawArgs: rest });
    return 0;
  } catch (error) {
    environment.complain(messageOf(error));
    debug('%o', error);
    return error instanceof UsageError ? 2 : 1;
  }
}

function isHelp(arg: string): boolean {
  return arg === '--help' || arg === '-h';
}

/** Usage as plain text: the colours are left to nobody, they would end up in files and pipes. */
async function usage(command: CommandDef, parent?: CommandDef): Promise<string> {
  const text = await renderUsage(command, parent);
  // oxlint would take the escape character for a mistake inside a literal.
  return text.replace(new RegExp(`${String.fromCharCode(27)}\\[\\d+m`, 'g'), '');
}

/** citty takes every option; we take those there are. */
function checkArgs(name: string, rawArgs: readonly string[], args: ArgsDef = {}): void {
  const help = `"sluice ${name} --help" says what there is.`;
  const options = Object.entries(args).filter(([, arg]) => arg.type !== 'positional');
  const positionals = Object.entries(args).filter(([, arg]) => arg.type === 'positional');
  const { tokens } = parseTokens({
    args: [...rawArgs],
    strict: false,
    tokens: true,
    options: Object.fromEntries(
      options.map(
        ([option, arg]) => [option, { type: arg.type === 'boolean' ? 'boolean' : 'string' }] as const,
      ),
    ),
  });
  for (const token of tokens) {
    if (token.kind !== 'option') continue;
    const known = options.find(([option]) => option === token.name);
    if (!known) throw new UsageError(`There is no option "${token.rawName}". ${help}`);
    const wantsValue = known[1].type !== 'boolean';
    // Without a value, parseArgs takes the next option for it.
    if (wantsValue && (token.value === undefined || (!token.inlineValue && token.value.startsWith('-')))) {
      throw new UsageError(`The option "${token.rawName}" needs a value. ${help}`);
    }
    if (!wantsValue && token.value !== undefined) {
      throw new UsageError(`The option "${token.rawName}" takes no value. ${help}`);
    }
  }
  const given = tokens.filter((token) => token.kind === 'positional');
  const missing = positionals[given.length];
  if (missing)
    throw new UsageError(`"sluice ${name}" needs ${missing[1].description?.toLowerCase()}. ${help}`);
  const extra = given[positionals.length];
  if (extra) throw new UsageError(`"sluice ${name}" does not take "${extra.value}". ${help}`);
}
