import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { expect } from 'vitest';
import type { Stream } from '#hub/stream.ts';
import { type RunningProgram, start } from './process.ts';
import { fakeReader } from './readers.ts';
import { eventually } from './sluice.ts';

const PLAY = ['-v', 'error', '-re', '-stream_loop', '-1'];

/** ffmpeg publishes a clip again and again; with `listen` it is the server, and gives it to the first client. */
export function publishRtmp(clip: string, url: string, listen = false): RunningProgram {
  const way = listen ? ['-listen', '1'] : [];
  return start('ffmpeg', [...PLAY, '-i', clip, '-c', 'copy', '-f', 'flv', ...way, url]);
}

/** A port that is free now; ffmpeg cannot say which one it took. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Collects the decoding times of a stream in seconds, and what its capture clock is ahead of them in ms, by kind. */
export function watch(stream: Stream) {
  const times: Record<string, number[]> = { video: [], audio: [] };
  const ahead: Record<string, number> = {};
  const ids = stream.tracks.map(({ id }) => id);
  const feed = stream.feed(`watched ${Math.random()}`, ids, () => ({
    write: ({ track, dts, pts, ntp }) => {
      times[track.format.kind]?.push(dts / track.clockRate);
      ahead[track.format.kind] = ntp - (pts * 1000) / track.clockRate;
    },
  }));
  feed.attach(fakeReader().reader);
  return {
    times,
    ahead,
    seen: (count: number) =>
      eventually(() => times['video']!.length >= count && times['audio']!.length >= count),
  };
}

export function expectGrowing(times: readonly number[]): void {
  expect(times.filter((time, i) => i > 0 && !(time > times[i - 1]!))).toEqual([]);
}
