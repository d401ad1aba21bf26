import { expect, it } from 'vitest';
import { aacFormat, buildAacConfig } from '#codecs/aac.ts';
import { h264Format } from '#codecs/h264.ts';
import { PlaylistTimes } from './playlist-times.ts';

const video = { id: 0, clockRate: 90_000, format: h264Format([]) };
const audio = {
  id: 1,
  clockRate: 48_000,
  format: aacFormat(buildAacConfig({ sampleRate: 48_000, channels: 1 })),
};
const picture = (pts: number, dts = pts) => ({ track: video, pts, dts, keyframe: true, payload: [] });
const sound = (pts: number) => ({ track: audio, pts, dts: pts, keyframe: true, payload: [] });

it('the first file keeps its timestamps, and the next follows when its last picture is over', () => {
  const times = new PlaylistTimes();
  for (const pts of [9000, 12_600, 16_200]) expect(times.place(picture(pts), 0.1)?.pts).toBe(pts);
  times.nextFile();
  // It begins at 2 s of its own time: its first picture stands 3600 ticks behind the last one.
  expect(times.place(picture(180_000), 2)?.pts).toBe(19_800);
  expect(times.place(picture(183_600), 2)?.pts).toBe(23_400);
  // Sound at 2.1 s of the file stands 0.1 s behind its first picture.
  expect(times.place(sound(100_800), 2)?.pts).toBe((19_800 / 90_000 + 0.1) * 48_000);
});

it('the last picture shown counts, where pictures are decoded before they are shown', () => {
  const times = new PlaylistTimes();
  times.place(picture(7200, 0), 0.08);
  times.place(picture(14_400, 3600), 0.08);
  times.place(picture(10_800, 7200), 0.08);
  times.nextFile();
  expect(times.place(picture(7200, 0), 0.08)).toMatchObject({ pts: 18_000, dts: 10_800 });
});

it('sound that would lie over that of the file before is left out', () => {
  const times = new PlaylistTimes();
  times.place(picture(0), 0);
  times.place(picture(3600), 0);
  for (const pts of [0, 1024, 2048, 3072, 4096]) times.place(sound(pts), 0);
  times.nextFile();
  // The next file begins at 80 ms, which is sample 3840; the sound before it ended with the frame at 4096.
  expect(times.place(picture(0), 0)?.pts).toBe(7200);
  expect(times.place(sound(0), 0)).toBeUndefined();
  expect(times.place(sound(1024), 0)?.pts).toBe(4864);
});
