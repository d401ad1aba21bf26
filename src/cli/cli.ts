import { debuglog } from 'node:util';
import { type ArgsDef, type CommandDef, defineCommand, renderUsage, runCommand } from 'citty';
import { withoutCredentials } from '#app/logger.ts';
import { version } from '#app/version.ts';
import { jobTypes } from '#config/job-schema.ts';
import { messageOf } from '#util/named-error.ts';
import { parseCommandLine } from './command-line.ts';
import { type CliEnvironment, UsageError } from './environment.ts';
import { EXIT } from './exit-code.ts';
import { hashCommand } from './hash.ts';
import { takesMany } from './job-arguments.ts';
import { probeCommand } from './probe.ts';
import { serveCommand } from './serve.ts';
import { runTransport, transportCommand } from './transport.ts';

/** `NODE_DEBUG=sluice` shows where an error came from. */
const debug = debuglog('sluice');

/**
 * Runs a command line. Resolves with the status for the process, see {@link EXIT}; what failed was said in a sentence.
 */
export async function runCli(rawArgs: readonly string[], environment: CliEnvironment): Promise<number> {
  const commands: Record<string, CommandDef> = {
    serve: serveCommand(environment),
    probe: probeCommand(environment),
    ...Object.fromEntries(jobTypes.map((type) => [type, transportCommand(type)])),
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
      return name === '' ? EXIT.usage : EXIT.done;
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
      return EXIT.done;
    }
    const type = jobTypes.find((one) => one === name);
    const typed = parseCommandLine(name, rest, command.args as ArgsDef | undefined, type && takesMany(type));
    if (type) return await runTransport(type, typed, environment);
    await runCommand(command, { rawArgs: rest });
    return EXIT.done;
  } catch (error) {
    environment.complain(withoutCredentials(messageOf(error)));
    debug('%o', error);
    return error instanceof UsageError ? EXIT.usage : EXIT.failed;
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
