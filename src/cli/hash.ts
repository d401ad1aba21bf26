import { type CommandDef, defineCommand } from 'citty';
import { hashPassword } from '#util/password-hash.ts';
import { type CliEnvironment, UsageError } from './environment.ts';

/** `sluice hash`: a password on the standard input becomes the hash that the configuration takes. */
export function hashCommand(environment: CliEnvironment): CommandDef {
  return defineCommand({
    meta: {
      name: 'hash',
      description: 'Read a password from the standard input and print its hash for "users" in sluice.yml',
    },
    run: async () => {
      const password = (await environment.readInput()).replace(/\r?\n$/, '');
      if (password === '') {
        throw new UsageError(
          'There is no password on the standard input. Try: read -rs P && printf %s "$P" | sluice hash',
        );
      }
      environment.print(await hashPassword(password));
    },
  });
}
