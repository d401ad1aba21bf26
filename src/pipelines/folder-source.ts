import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { LinkPublication, TaskSpec } from '#link/client.ts';
import type { Track } from '#media/track.ts';
import { NamedError } from '#util/named-error.ts';
import { AvError } from './av/library.ts';
import { FileReader, type FileUnit } from './file-reader.ts';
import { openFile, unreadable } from './open-file.ts';
import { Pacer } from './pacer.ts';
import { PlaylistTimes } from './playlist-times.ts';
import { publishing } from './publish.ts';
import { sleep, type TaskContext, type TaskOutcome } from './task.ts';

type FileSourceSpec = Extract<TaskSpec, { kind: 'file-source' }>;

const MEDIA = /^[^.].*\.(?:mp4|m4v|mov|mkv|webm|ts|mts|m2ts|flv|avi)$/i;

/** A unit of a folder, and the tracks of the file that it is of. */
interface Played {
  readonly unit: FileUnit;
  readonly tracks: readonly Track[];
}

/**
 * Publishes the media files of a folder one after the other, in the order of their names, once or over and over; the
 * folder is looked at anew for each pass. Where the tracks of two files are of the same kinds, codecs and clock rates,
 * the stream goes on without a seam; else the next file is another publication, which the hub joins on.
 *
 * @throws {NamedError} INPUT_MISSING, INPUT_UNREADABLE, or PUBLICATION_ENDED when the hub ended it
 */
export async function runFolderSource(spec: FileSourceSpec, context: TaskContext): Promise<TaskOutcome> {
  const { signal } = context;
  const over = new AbortController();
  const units = playlist(spec, context, AbortSignal.any([signal, over.signal]));
  const pace = new Pace();
  try {
    let next = await take(units);
    while (next && !signal.aborted) {
      const { tracks } = next;
      let following: Played | undefined = next;
      await publishing(
        context,
        spec.stream,
        tracks,
        'The folder is at its end.',
        async (publication, stop) => {
          for (; following && isSame(following.tracks, tracks); following = await take(units)) {
            await pace.write(following.unit, publication, stop);
            await context.link.drained();
            if (stop.aborted) return;
          }
        },
      );
      next = following;
    }
  } finally {
    over.abort();
    await units.return(undefined);
  }
  return { reason: signal.aborted ? 'Stopped.' : 'The folder is at its end.' };
}

/** Gives each unit its capture time, and holds it until it is due. */
class Pace {
  readonly #pacer = new Pacer();
  /** Wall clock of media time 0, ms. */
  #origin: number | undefined;

  async write(unit: FileUnit, publication: LinkPublication, stop: AbortSignal): Promise<void> {
    const { clockRate } = unit.track;
    this.#origin ??= performance.timeOrigin + performance.now() - (unit.pts / clockRate) * 1000;
    const wait = this.#pacer.wait((unit.dts / clockRate) * 1000, performance.now());
    // Under a timer's resolution it is punctual enough, and a wake-up saved.
    if (wait >= 1) await sleep(wait, stop);
    if (!stop.aborted) publication.write({ ...unit, ntp: this.#origin + (unit.pts / clockRate) * 1000 });
  }
}

async function take(units: AsyncGenerator<Played, undefined>): Promise<Played | undefined> {
  return (await units.next()).value;
}

async function* playlist(
  { path, loop, within }: FileSourceSpec,
  context: TaskContext,
  signal: AbortSignal,
): AsyncGenerator<Played, undefined> {
  const times = new PlaylistTimes();
  let tracks: readonly Track[] = [];
  do {
    let played = false;
    for (const name of await mediaFiles(path)) {
      try {
        for await (const one of fileUnits(join(path, name), signal, within)) {
          if (!isSame(one.tracks, tracks)) times.forgetTracks();
          tracks = one.tracks;
          const unit = times.place(one.unit, one.startSeconds);
          if (unit) yield { unit, tracks };
          played = true;
        }
      } catch (error) {
        // One bad file does not end the others.
        if (!(error instanceof NamedError) || signal.aborted) throw error;
        context.log('warn', `"${name}" is left out: ${error.message}`);
      }
      times.nextFile();
    }
    if (!played) throw unreadable(path, 'none of the files in this folder can be played');
  } while (loop);
  return undefined;
}

/** @throws {NamedError} INPUT_MISSING, INPUT_UNREADABLE */
async function* fileUnits(
  path: string,
  signal: AbortSignal,
  within: readonly string[] | undefined,
): AsyncGenerator<Played & { startSeconds: number }> {
  try {
    await using input = await openFile(path, signal, within);
    const reader = FileReader.create(input, false);
    if (!reader) throw unreadable(path, 'it has no track that can be streamed');
    for (let unit = await reader.next(); unit; unit = await reader.next())
      yield { unit, tracks: reader.tracks, startSeconds: reader.startSeconds };
  } catch (error) {
    throw error instanceof AvError ? unreadable(path, error.message.replace(/\.$/, ''), error) : error;
  }
}

async function mediaFiles(folder: string): Promise<string[]> {
  const names = (await readdir(folder)).filter((name) => MEDIA.test(name)).toSorted();
  if (names.length > 0) return names;
  const message = `There is no media file in the folder "${folder}". Put MP4, MKV, MPEG-TS, FLV or AVI files there.`;
  throw new NamedError('INPUT_MISSING', message, 404);
}

function isSame(one: readonly Track[], other: readonly Track[]): boolean {
  const signature = (tracks: readonly Track[]) =>
    tracks.map(({ id, clockRate, format }) => `${id} ${format.kind} ${format.codec} ${clockRate}`).join();
  return signature(one) === signature(other);
}
