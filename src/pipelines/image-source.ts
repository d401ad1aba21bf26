import type { TaskSpec } from '#link/client.ts';
import type { VideoTrack } from '#media/track.ts';
import { Pacer } from './pacer.ts';
import { PictureLoop } from './picture-loop.ts';
import { publishing } from './publish.ts';
import { sleep, type TaskContext, type TaskOutcome } from './task.ts';

type FileSourceSpec = Extract<TaskSpec, { kind: 'file-source' }>;

/**
 * Publishes a picture as video of 5 pictures a second, which costs no encoder once the first were made.
 *
 * @throws {NamedError} INPUT_UNREADABLE, SOURCE_FORBIDDEN, or PUBLICATION_ENDED when the hub ended it
 */
export async function runImageSource(spec: FileSourceSpec, context: TaskContext): Promise<TaskOutcome> {
  await using loop = await PictureLoop.open(spec.path, { within: spec.within }, context.signal);
  const track: VideoTrack = { id: 0, clockRate: 90_000, format: loop.format };
  await publishing(context, spec.stream, [track], 'The source was stopped.', async (publication, stop) => {
    const pacer = new Pacer();
    const origin = performance.timeOrigin + performance.now();
    for await (const { pts, keyframe, nals } of loop.pictures()) {
      const ms = pts / 90;
      await sleep(pacer.wait(ms, performance.now()), stop);
      if (stop.aborted) return;
      publication.write({ track, pts, dts: pts, keyframe, ntp: origin + ms, payload: nals });
    }
  });
  return { reason: 'Stopped.' };
}
