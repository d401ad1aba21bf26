import { silence } from '#codecs/silence.ts';
import type { LinkPublication, TaskSpec } from '#link/client.ts';
import { type AudioTrack, isAudio, isVideo, type VideoTrack } from '#media/track.ts';
import { NamedError } from '#util/named-error.ts';
import type { EncodedPicture } from './av/video-encoder.ts';
import { Pacer } from './pacer.ts';
import { PictureLoop } from './picture-loop.ts';
import { publishing } from './publish.ts';
import { sleep, type TaskContext, type TaskOutcome } from './task.ts';

type StandbySpec = Extract<TaskSpec, { kind: 'standby' }>;

/** Ids of the tracks; the hub has its own. */
const VIDEO = 0;
const AUDIO = 1;

/**
 * Publishes a picture or a clip in place of a source that is gone: H.265 where that is what the stream had, else H.264, in
 * the size of the stream; and silence in the codec of its sound, as far as there is any in that codec. Ends when the hub
 * has the source's picture again.
 *
 * @throws {NamedError} INPUT_MISSING, INPUT_UNREADABLE, SOURCE_FORBIDDEN
 */
export async function runStandby(spec: StandbySpec, context: TaskContext): Promise<TaskOutcome> {
  const like = spec.like.find(isVideo);
  const { width = 0, height = 0, codec } = like?.format ?? {};
  const size = width > 1 && height > 1 ? { width: even(width), height: even(height) } : undefined;
  await using loop = await PictureLoop.open(
    spec.path,
    { codec: codec === 'h265' ? 'h265' : 'h264', size, within: spec.within },
    context.signal,
  );
  const video: VideoTrack = { id: VIDEO, clockRate: 90_000, format: loop.format };
  const audio = spec.like.find(isAudio);
  const sound = audio && silence(audio);
  const track: AudioTrack | undefined = sound && audio && { ...audio, id: AUDIO };
  try {
    await publishing(
      context,
      spec.stream,
      track ? [video, track] : [video],
      'The stand-by was stopped.',
      (publication, stop) =>
        play(loop.pictures(), { video, sound: sound && track && { ...sound, track } }, publication, stop),
    );
    return { reason: 'Stopped.' };
  } catch (error) {
    // That is what a stand-by waits for.
    if (error instanceof NamedError && error.code === 'PUBLICATION_ENDED') return { reason: error.message };
    throw error;
  }
}

interface Parts {
  readonly video: VideoTrack;
  readonly sound:
    | { readonly track: AudioTrack; readonly payload: Buffer; readonly duration: number }
    | undefined;
}

/** Pictures and silence, each when it is due. */
async function play(
  pictures: AsyncGenerator<EncodedPicture>,
  { video, sound }: Parts,
  publication: LinkPublication,
  stop: AbortSignal,
): Promise<void> {
  const pacer = new Pacer();
  const origin = performance.timeOrigin + performance.now();
  const isDue = async (ms: number) => {
    await sleep(pacer.wait(ms, performance.now()), stop);
    return !stop.aborted;
  };
  let sounded = 0;
  for await (const { pts, keyframe, nals } of pictures) {
    const ms = pts / 90;
    while (sound) {
      const { track, payload, duration } = sound;
      const at = (sounded / track.clockRate) * 1000;
      if (at >= ms) break;
      if (!(await isDue(at))) return;
      publication.write({
        track,
        pts: sounded,
        dts: sounded,
        keyframe: true,
        ntp: origin + at,
        payload: [payload],
      });
      sounded += duration;
    }
    if (!(await isDue(ms))) return;
    publication.write({ track: video, pts, dts: pts, keyframe, ntp: origin + ms, payload: nals });
  }
}

function even(size: number): number {
  return size - (size % 2);
}
