import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { start } from './process.ts';
import { eventually } from './sluice.ts';

/**
 * Reads H.264 pictures by GStreamer until so many bytes of them came; gives what it complained of. It is ended from
 * here: where a pipeline with sound that is linked to nothing was to end by itself (`eos-after`), it ended with an error
 * now and then.
 */
export async function readPictures(source: readonly string[], bytes = 10_000): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-gst-'));
  const file = join(folder, 'pictures.h264');
  await using gst = start('gst-launch-1.0', [
    ...['-q', 'rtspsrc', ...source, '!', 'application/x-rtp,media=video', '!', 'rtph264depay', '!'],
    ...['h264parse', '!', 'video/x-h264,stream-format=byte-stream', '!'],
    ...['filesink', 'buffer-mode=unbuffered', `location=${file}`],
  ]);
  try {
    await eventually(async () => (await stat(file)).size >= bytes);
    return gst.stderr;
  } catch (error) {
    throw new Error(`GStreamer read too little. ${gst.stderr}`, { cause: error });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
