import type { LinkPublication } from '#link/client.ts';
import type { Track } from '#media/track.ts';
import { NamedError } from '#util/named-error.ts';
import type { TaskContext } from './task.ts';

/**
 * Publishes as long as `write` works; it ends by itself, or soon after its signal is aborted because the task is to
 * stop or the hub ended the publication.
 *
 * @param last what readers are told when `write` ends by itself
 * @throws {NamedError} PUBLICATION_ENDED when the hub ended it
 */
export async function publishing(
  { link, task, signal, state }: TaskContext,
  stream: string,
  tracks: readonly Track[],
  last: string,
  write: (publication: LinkPublication, stop: AbortSignal) => Promise<void>,
): Promise<void> {
  let ended: string | undefined;
  const over = new AbortController();
  const publication = link.publish(task, stream, tracks, (reason) => {
    ended = reason;
    over.abort();
  });
  state('running');
  let told = last;
  try {
    await write(publication, AbortSignal.any([signal, over.signal]));
  } catch (error) {
    told = error instanceof Error ? error.message : last;
    throw error;
  } finally {
    if (ended === undefined) publication.close(signal.aborted ? 'The source was stopped.' : told);
  }
  if (ended !== undefined && !signal.aborted) throw new NamedError('PUBLICATION_ENDED', ended, 409);
}
