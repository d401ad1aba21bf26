import { randomBytes } from 'node:crypto';
import { type FileHandle, open, readlink, realpath, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { messageOf, NamedError } from '#util/named-error.ts';

/** For the owner alone: a configuration has passwords in it. */
const NEW_MODE = 0o600;

/**
 * A file's next content, complete on the disk beside it, to take its place in one step: whoever reads the file, or finds
 * it after the power failed, has the old or the new one as a whole. Owner and mode are kept, and where the name is a link,
 * what it leads to is replaced and not the link. Disposing of it without `commit` leaves everything as it was.
 */
export class StagedFile implements AsyncDisposable {
  readonly #shown: string;
  readonly #file: string;
  readonly #staged: string;
  #over = false;

  private constructor(shown: string, file: string, staged: string) {
    this.#shown = shown;
    this.#file = file;
    this.#staged = staged;
  }

  /** @throws NamedError CONFIG_NOT_WRITABLE */
  static async write(path: string, text: string): Promise<StagedFile> {
    try {
      const file = await target(path);
      const staged = join(dirname(file), `.${basename(file)}.${randomBytes(6).toString('hex')}`);
      await using cleanUp = new AsyncDisposableStack();
      const before = await stat(file).catch(() => undefined);
      const handle = await open(staged, 'wx', NEW_MODE);
      cleanUp.defer(() => rm(staged, { force: true }));
      try {
        await handle.writeFile(text);
        if (before) await dressLike(handle, before);
        await handle.sync();
      } finally {
        await handle.close();
      }
      cleanUp.move();
      return new StagedFile(path, file, staged);
    } catch (error) {
      throw notWritable(path, error);
    }
  }

  /**
   * Puts it in the place of the file.
   * @throws NamedError CONFIG_NOT_WRITABLE
   */
  async commit(): Promise<void> {
    try {
      await rename(this.#staged, this.#file);
      this.#over = true;
    } catch (error) {
      throw notWritable(this.#shown, error);
    }
    await syncFolder(dirname(this.#file));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#over) return;
    this.#over = true;
    await rm(this.#staged, { force: true });
  }
}

/** What a path leads to, also where that is not there yet. */
async function target(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    const link = await readlink(path).catch(() => undefined);
    return link === undefined ? resolve(path) : resolve(dirname(path), link);
  }
}

async function dressLike(handle: FileHandle, { mode, uid, gid }: { mode: number; uid: number; gid: number }) {
  // Only root may give files away; where that fails, the mode below keeps others out as before.
  await handle.chown(uid, gid).catch(() => {});
  await handle.chmod(mode & 0o7777);
}

/** Without it a rename may be lost when the power fails. Not every system lets a folder be opened for it. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r').catch(() => undefined);
  await handle?.sync().catch(() => {});
  await handle?.close();
}

function notWritable(file: string, error: unknown): NamedError {
  const alone = (error as NodeJS.ErrnoException).code === 'EBUSY';
  const way = alone
    ? 'The file alone seems to be mounted into a container: mount the folder that it is in.'
    : 'Let the user that Sluice runs as write this file and its folder, or edit it by hand.';
  const sentence = `The configuration file ${file} cannot be written (${messageOf(error)}), so nothing was changed. ${way}`;
  return new NamedError('CONFIG_NOT_WRITABLE', sentence, 409, { cause: error });
}
