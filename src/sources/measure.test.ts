import { describe, expect, it } from 'vitest';
import { Hub } from '#hub/hub.ts';
import type { TrackReport } from '#media/track-report.ts';
import { VirtualClock } from '#util/clock.ts';
import { audio, picture, sound, video } from '../../test/support/units.ts';
import { measure } from './measure.ts';

function setUp() {
  const clock = new VirtualClock();
  const hub = new Hub({ clock, holdMs: 0 });
  const clocks = [{ track: 0, source: 'sender-report', skewPpm: 0, lagMs: 0 } as const];
  const publication = hub.publish('a', { id: 'a', door: 'source', remote: '' }, [video, audio], {
    onClose: () => {},
    clocks: () => clocks,
  });
  const state: { tracks?: TrackReport[] } = {};
  const done = measure(hub.get('a')!, { clock }).then((tracks) => {
    state.tracks = tracks;
  });
  /** So many ms of media, a keyframe every `gop` pictures. */
  const play = async (ms: number, gop: number, from = 0) => {
    for (let n = from; n < from + ms / 40; n++) {
      publication.write(picture(n, { gop, size: 500 }));
      publication.write(sound(n));
      clock.advance(40);
    }
    await Promise.resolve();
  };
  return { clock, hub, publication, state, done, play };
}

describe('a stream that is looked at', () => {
  it('is measured for 3 s: rates, keyframes, and how its clock is known', async () => {
    const { state, play, hub } = setUp();
    await play(2960, 25);
    expect(state.tracks).toBeUndefined();
    await play(40, 25, 74);
    expect(state.tracks).toEqual([
      {
        kind: 'video',
        codec: 'h264',
        codecString: 'avc1.42c01e',
        width: 640,
        height: 360,
        fps: 25,
        bitrate: 100_000,
        keyframeInterval: 1,
        clock: 'sender-report',
      },
      expect.objectContaining({ kind: 'audio', codec: 'aac', sampleRate: 48_000, channels: 2 }),
    ]);
    expect(hub.get('a')!.readerCount).toBe(0);
  });

  it('is looked at longer where keyframes are rare, and at most 8 s', async () => {
    const once = setUp();
    await once.play(5000, 120);
    expect(once.state.tracks?.[0]).toMatchObject({ fps: 25, keyframeInterval: 4.8 });
    const never = setUp();
    await never.play(7960, 1000);
    expect(never.state.tracks).toBeUndefined();
    await never.play(40, 1000, 199);
    expect(never.state.tracks?.[0]).not.toHaveProperty('keyframeInterval');
    expect(never.clock.pending).toBe(0);
  });

  it('ends with what was seen when the stream ends', async () => {
    const { publication, state, play, done, clock } = setUp();
    await play(1000, 25);
    publication.close('It is off.');
    await done;
    expect(state.tracks?.[0]).toMatchObject({ fps: 25 });
    expect(clock.pending).toBe(0);
  });
});
