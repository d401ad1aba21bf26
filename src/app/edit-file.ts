import type { Config } from '#config/schema.ts';
import { NamedError } from '#util/named-error.ts';
import type { ConfigurationFile } from './configuration-file.ts';

/** What a file begins with that is made because the API saved something. */
const NEW_FILE =
  '# Made by Sluice when something was saved over the API. docs/configuration.md lists all keys.\n';

/** The file that entries are kept in; undefined where the configuration comes from none. */
export type EntryFile = () => Pick<ConfigurationFile, 'edit' | 'state'> | undefined;

/**
 * Writes the configuration file anew, and takes it up.
 * @param change gives the new text for the present one, and is told the path of the file
 * @throws NamedError CONFIG_NO_FILE, and what `ConfigurationFile.edit` throws
 */
export async function editFile(
  file: EntryFile,
  change: (text: string, config: Config, path: string) => string | Promise<string>,
): Promise<void> {
  const found = file();
  if (!found) {
    const sentence =
      'This server was started without a configuration file, so nothing can be saved. Start it by "sluice serve", with --config or in a folder for its sluice.yml.';
    throw new NamedError('CONFIG_NO_FILE', sentence, 409);
  }
  await found.edit((text, config) => change(text === '' ? NEW_FILE : text, config, found.state.file));
}
