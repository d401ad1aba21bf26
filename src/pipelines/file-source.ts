import type { TaskSpec } from '#link/client.ts';
import { FileReader } from './file-reader.ts';
import { noTrack, openFile, readNext, unreadable } from './open-file.ts';
import { Pacer } from './pacer.ts';
import { publishing } from './publish.ts';
import { sleep, type TaskContext, type TaskOutcome } from './task.ts';

type FileSourceSpec = Extract<TaskSpec, { kind: 'file-source' }>;

const END = 'The file is at its end.';

/**
 * Publishes a file as a stream at the speed of time, once or in a loop without a seam. Timestamps are the file's own
 * (see {@link FileReader}); the capture time is the wall clock of the start plus the time that the media passed since.
 *
 * @throws {NamedError} INPUT_MISSING, INPUT_UNREADABLE, INPUT_NO_TRACK, or PUBLICATION_ENDED when the hub ended it
 */
export async function runFileSource(spec: FileSourceSpec, context: TaskContext): Promise<TaskOutcome> {
  const { signal } = context;
  await using input = await openFile(spec.path, signal, spec.within);
  const reader = FileReader.create(input, spec.loop);
  if (!reader) throw noTrack(spec.path, input);
  const first = await readNext(reader, spec.path);
  if (!first) throw unreadable(spec.path, 'there is not one picture or sound in it');

  for (const { index, kind, codecName } of reader.unused) {
    context.log('warn', `Stream ${index} of "${spec.path}" is left out: ${codecName} (${kind}).`);
  }

  if (!spec.loop && input.duration !== undefined) {
    const { id, epoch } = context.task;
    const statistics = { durationMs: Math.round(input.duration * 1000) };
    context.link.send({ type: 'task.statistics', task: id, epoch, statistics });
  }
  await publishing(context, spec.stream, reader.tracks, END, async (publication, stop) => {
    const pacer = new Pacer();
    const origin = performance.timeOrigin + performance.now() - reader.startSeconds * 1000;
    for (let unit: typeof first | undefined = first; unit; unit = await readNext(reader, spec.path)) {
      const { clockRate } = unit.track;
      const wait = pacer.wait((unit.dts / clockRate) * 1000, performance.now());
      // Under a timer's resolution it is punctual enough, and a wake-up saved.
      if (wait >= 1) await sleep(wait, stop);
      await context.link.drained();
      if (stop.aborted) return;
      publication.write({ ...unit, ntp: origin + (unit.pts / clockRate) * 1000 });
    }
  });
  return { reason: signal.aborted ? 'Stopped.' : END };
}
