import type { TaskSpec } from '#link/client.ts';
import type { Track, VideoTrack } from '#media/track.ts';
import { NamedError } from '#util/named-error.ts';
import { FileReader, type FileUnit } from './file-reader.ts';
import { noTrack, openFile, readNext } from './open-file.ts';
import { isImage, PictureLoop } from './picture-loop.ts';
import type { TaskContext } from './task.ts';
import { TestUnits } from './test-source.ts';

type ConvertSpec = Extract<TaskSpec, { kind: 'convert' }>;

/** Where the units of a conversion come from. */
export interface ConversionInput extends AsyncDisposable {
  /** Complete once the first unit was read. */
  readonly tracks: readonly Track[];
  /** Seconds; undefined where unknown. */
  readonly duration: number | undefined;
  /** The next unit; undefined at the end. */
  next(): Promise<FileUnit | undefined>;
}

/** The name of the test picture among inputs. */
const TEST_SOURCE = 'testsrc';

/** Whether an input is a path. */
export function isPath(input: string): boolean {
  return input !== TEST_SOURCE;
}

/**
 * A file, a picture that stands still, or the test picture with its sound.
 * @throws {NamedError} INPUT_MISSING, INPUT_UNREADABLE, INPUT_NO_TRACK, INPUT_ENDLESS, SOURCE_FORBIDDEN
 */
export async function openConversionInput(
  { input, seconds, within }: ConvertSpec,
  { signal, log }: TaskContext,
): Promise<ConversionInput> {
  const isStill = isImage(input);
  if ((isStill || !isPath(input)) && seconds === undefined) {
    const what = isStill ? `The picture "${input}"` : 'The test picture';
    throw new NamedError('INPUT_ENDLESS', `${what} has no end. Say how many seconds of it are wanted.`, 400);
  }
  if (!isPath(input)) return TestUnits.open(signal);
  if (isStill) return stillPicture(input, signal);
  const file = await openFile(input, signal, within);
  const reader = FileReader.create(file, false);
  if (!reader) {
    await file.close();
    throw noTrack(input, file);
  }
  for (const { index, kind, codecName } of reader.unused) {
    log('warn', `Stream ${index} of "${input}" is left out: ${codecName} (${kind}).`);
  }
  return {
    get tracks() {
      return reader.tracks;
    },
    duration: file.duration,
    next: () => readNext(reader, input),
    [Symbol.asyncDispose]: () => file.close(),
  };
}

async function stillPicture(path: string, signal: AbortSignal): Promise<ConversionInput> {
  const loop = await PictureLoop.open(path, {}, signal);
  const track: VideoTrack = { id: 0, clockRate: 90_000, format: loop.format };
  const pictures = loop.pictures();
  return {
    tracks: [track],
    duration: undefined,
    async next() {
      const { value } = await pictures.next();
      return (
        value && { track, pts: value.pts, dts: value.pts, keyframe: value.keyframe, payload: value.nals }
      );
    },
    [Symbol.asyncDispose]: () => loop[Symbol.asyncDispose](),
  };
}
