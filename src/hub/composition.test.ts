import { describe, expect, it } from 'vitest';
import type { AccessUnit } from '#media/access-unit.ts';
import { ComposedTrial } from '../../test/support/composed.ts';
import { audio, picture, video } from '../../test/support/units.ts';
import { Composition, type CompositionPart } from './composition.ts';
import { FIRST_MADE_ID } from './track-table.ts';

const both: readonly CompositionPart[] = [
  { stream: 'v', kind: 'video' },
  { stream: 'a', kind: 'audio' },
];
/** Ms between the picture and the sound of one moment that nobody hears. */
const LIMIT = 40;

describe('a composition', () => {
  it('gives on what one stream has as it is, without a copy, from its last keyframe on', () => {
    const trial = new ComposedTrial();
    trial.publish('cam', 'both', { ptsSeconds: 77, aheadMs: 50 });
    trial.advance(1900);
    trial.compose({ parts: [{ stream: 'cam' }] });
    trial.advance(3000);
    const given: AccessUnit[] = [];
    trial.hub.get('cam')!.feed('test', [0, 1], () => ({ write: (unit) => void given.push(unit) }));
    given.length = 0;
    const from = trial.seen.length;
    trial.advance(1000);
    expect(trial.seen[0]).toMatchObject({ kind: 'video', captured: 1000, unit: { keyframe: true } });
    expect(trial.seen.slice(from).map(({ unit }) => unit)).toEqual(given);
    for (const [n, { unit }] of trial.seen.slice(from).entries()) expect(unit).toBe(given[n]);
    expect(trial.latency('audio', 2000)).toEqual([expect.closeTo(0), expect.closeTo(0)]);
  });

  it('takes the picture or the sound of a stream', () => {
    const trial = new ComposedTrial();
    trial.publish('cam', 'both');
    trial.compose({ parts: [{ stream: 'cam', kind: 'audio' }] });
    trial.advance(1000);
    expect(new Set(trial.seen.map(({ kind }) => kind))).toEqual(new Set(['audio']));
    expect(trial.hub.get('mix')!.tracks.map(({ id }) => id)).toEqual([1]);
  });

  it('may have two tracks of one kind, each in its place, also when one begins anew', () => {
    const trial = new ComposedTrial();
    trial.compose({ parts: [{ stream: 'cam' }, { stream: 'mic', kind: 'audio' }] });
    trial.publish('cam', 'both');
    const kill = trial.publish('mic', 'audio', { delayMs: 1500 });
    trial.advance(8000);
    kill();
    trial.advance(1000);
    trial.publish('mic', 'audio', { delayMs: 1500, keptMs: 2000 });
    trial.advance(8000);
    expect(trial.hub.get('mix')!.tracks.map(({ format }) => format.kind)).toEqual([
      'video',
      'audio',
      'audio',
    ]);
    expect(trial.skew(0)).toBeLessThan(1);
    const late = trial.seen.filter(({ unit, left }) => unit.track.id === 2 && left > 11_000);
    expect(late.length).toBeGreaterThan(250);
    expect(trial.count('video', 5000)).toBeGreaterThan(290);
  });

  it('begins when all is there, or so long after the first', () => {
    const trial = new ComposedTrial();
    trial.compose({ parts: both });
    trial.publish('v', 'video');
    trial.advance(30_000);
    expect(trial.hub.get('mix')).toBeUndefined();
    expect(trial.states).toEqual([
      'waiting: Nobody publishes "v" now. Nobody publishes "a" now.',
      'waiting: Nobody publishes "a" now.',
    ]);
    trial.publish('a', 'audio');
    trial.advance(1000);
    expect(trial.states.at(-1)).toBe('running');
    expect(trial.seen[0]!.unit.keyframe).toBe(true);

    const soon = new ComposedTrial();
    soon.compose({ parts: both, beginMs: 2000 });
    soon.publish('v', 'video');
    soon.advance(1900);
    expect(soon.hub.get('mix')).toBeUndefined();
    soon.advance(200);
    expect(soon.states.at(-1)).toBe('running: Nobody publishes "a" now.');
    soon.advance(3000);
    soon.publish('a', 'audio', { delayMs: 700 });
    soon.advance(9000);
    expect(soon.states.at(-1)).toBe('running');
    expect(soon.hub.get('mix')!.tracks.map(({ format }) => format.kind)).toEqual(['video', 'audio']);
    expect(soon.skew(6500)).toBeLessThanOrEqual(LIMIT);
    expect(soon.disorder(7000)).toBeLessThanOrEqual(60);
  });

  it('passes on a new format, and is published anew with another codec', () => {
    const trial = new ComposedTrial();
    trial.compose({ parts: both });
    trial.publish('a', 'audio');
    const publication = trial.publication('v', [video]);
    const wide = { ...video, format: { ...video.format, width: 1280 } };
    for (let n = 0; n < 100; n++) {
      publication.write(picture(n, { start: trial.began, track: n < 50 ? video : wide }));
      trial.advance(40);
    }
    expect(trial.hub.get('mix')!.tracks[0]).toMatchObject({ id: 0, format: { width: 1280 } });
    publication.close('Another codec.');
    const h265 = { ...video, format: { ...video.format, codec: 'h265' as const } };
    const again = trial.publication('v', [h265]);
    for (let n = 100; n < 200; n++) {
      again.write(picture(n, { start: trial.began, track: h265 }));
      trial.advance(40);
    }
    const { tracks } = trial.hub.get('mix')!;
    expect(tracks.map(({ format }) => format.codec).toSorted()).toEqual(['aac', 'h265']);
    const pictures = trial.seen.filter(({ kind }) => kind === 'video');
    expect(pictures.at(-1)!.unit.track.format.codec).toBe('h265');
    expect(pictures.length).toBeGreaterThan(190);
    expect(trial.count('audio', 1000)).toBeGreaterThan(320);
  });

  it('asks for a keyframe where its picture comes from, and only where that can be asked', () => {
    const trial = new ComposedTrial();
    const asked: string[] = [];
    trial.compose({ parts: both });
    const stop = trial.publish('v', 'video', { requestKeyframe: () => asked.push('v') });
    trial.publish('a', 'audio', { requestKeyframe: () => asked.push('a') });
    trial.advance(3000);
    const mix = trial.hub.get('mix')!;
    asked.length = 0;
    expect(mix.canRequestKeyframe([0])).toBe(true);
    mix.requestKeyframe([0]);
    expect(asked).toEqual(['v']);
    stop();
    trial.publish('v', 'video');
    expect(mix.canRequestKeyframe([0])).toBe(false);
  });

  it('says how its clocks are known', () => {
    const trial = new ComposedTrial();
    const composition = trial.compose({ parts: both });
    trial.publish('v', 'video');
    trial.publish('a', 'audio', { aheadMs: 50_000 });
    trial.advance(3000);
    expect(trial.hub.get('mix')!.clocks).toMatchObject([
      { track: 0, source: 'sender-report' },
      { track: 1, source: 'arrival' },
    ]);
    expect(composition.status.parts).toMatchObject([{ alignment: 'same' }, { alignment: 'arrival' }]);
  });

  it('needs no alignment between what comes of one stream, whatever detour it takes', () => {
    const trial = new ComposedTrial();
    const { hub, clock } = trial;
    const onState = () => {};
    trial.publish('cam', 'both', { arrival: true, delayMs: 5 });
    const part = new Composition(
      { name: 'part', parts: [{ stream: 'cam', kind: 'video' }] },
      { hub, clock, onState },
    );
    const composition = trial.compose({
      parts: [
        { stream: 'part', kind: 'video' },
        { stream: 'cam', kind: 'audio' },
      ],
    });
    trial.advance(5000);
    expect(trial.skew(0)).toBeLessThan(0.01);
    expect(composition.status.parts.map(({ alignment }) => alignment)).toEqual(['same', 'same']);
    void part.close('over');
  });

  it('waits for its name to be free, and gives way to who takes it', () => {
    const trial = new ComposedTrial();
    const rival = trial.publication('mix', [video]);
    trial.compose({ parts: [{ stream: 'cam' }] });
    trial.publish('cam', 'both');
    trial.advance(2000);
    expect(trial.states.at(-1)).toBe('waiting: Somebody else publishes "mix" now.');
    rival.close('It had enough.');
    trial.advance(1100);
    expect(trial.states.at(-1)).toBe('running');
    const other = trial.publication('mix', [video]);
    expect(trial.states.at(-1)).toBe('waiting: Another publisher took over.');
    trial.advance(2000);
    expect(trial.hub.get('mix')!.publisher?.id).toBe('mix');
    other.close('Enough again.');
    trial.advance(1100);
    expect(trial.states.at(-1)).toBe('running');
  });

  it('is made of no stream that is made of it', () => {
    const trial = new ComposedTrial();
    const { hub, clock } = trial;
    const compose = (name: string, ...streams: string[]) =>
      new Composition(
        { name, parts: streams.map((stream) => ({ stream })) },
        { hub, clock, onState: () => {} },
      );
    expect(() => compose('a', 'a')).toThrow(
      'The stream "a" cannot be made of itself. Choose another name for one of them.',
    );
    const b = compose('b', 'a', 'x');
    compose('c', 'b');
    expect(() => compose('a', 'c')).toThrow(
      'The stream "a" cannot be made of "c", which is made of "b", which is made of "a".',
    );
    void b.close('over');
    expect(() => compose('a', 'c')).not.toThrow();
  });

  it('ends its stream with its last part, and goes on when that is back', () => {
    const trial = new ComposedTrial();
    trial.compose({ parts: [{ stream: 'cam' }] });
    const stop = trial.publish('cam', 'both');
    trial.advance(2000);
    stop();
    trial.advance(16_000);
    expect(trial.states.at(-1)).toBe('waiting: Nobody publishes "cam" now.');
    expect(trial.hub.get('mix')?.state).toBe('held');
    trial.publish('cam', 'both', { ptsSeconds: 5 });
    trial.advance(2000);
    expect(trial.states.at(-1)).toBe('running');
    expect(trial.hub.get('mix')?.state).toBe('live');
    const dts = trial.seen.filter(({ kind }) => kind === 'audio').map(({ unit }) => unit.dts);
    expect(dts.every((one, n) => n === 0 || one > dts[n - 1]!)).toBe(true);
  });

  it('wants its parts on demand, and leaves nothing behind when it is closed', async () => {
    const trial = new ComposedTrial();
    const calls: string[] = [];
    let stop = () => {};
    trial.hub.onDemand.add('v', {
      summon: () => {
        calls.push('summon');
        stop = trial.publish('v', 'video');
      },
      dismiss: () => {
        calls.push('dismiss');
        stop();
      },
      trouble: undefined,
    });
    const composition = trial.compose({ parts: [both[0]!] });
    expect(calls).toEqual(['summon']);
    trial.advance(30_000);
    expect(calls).toEqual(['summon']);
    expect(trial.hub.get('v')!.readerCount).toBe(1);
    await composition.close('Enough.');
    await composition.close('Enough.');
    expect(trial.hub.get('v')!.readerCount).toBe(0);
    trial.advance(30_000);
    expect(calls).toEqual(['summon', 'dismiss']);
    expect(trial.hub.streams).toEqual([]);
    expect(trial.clock.pending).toBe(0);
    expect(trial.hub.events.listenerCount('streamAdded')).toBe(1);
  });
});

describe('a composition with a rendition', () => {
  function burned(delay: (n: number) => number) {
    const makers: { id: number; stop: () => void; fail: (reason: string) => void }[] = [];
    const trial: ComposedTrial = new ComposedTrial({
      startRendition: ({ id }, fail) => {
        const made = { ...video, id };
        const { renditions } = trial.hub.get('cam')!;
        let n = 0;
        const feed = trial.hub.get('cam')!.feed(`maker ${makers.length}`, [0], () => ({
          write: (unit) =>
            void trial.clock.after(delay(n++), () => {
              renditions.announce(0, made);
              renditions.write({ ...unit, track: made });
            }),
        }));
        const stop = () => feed.close('Stopped.');
        makers.push({ id, stop, fail: (reason) => fail(reason, { retried: false }) });
        return stop;
      },
    });
    const composition = trial.compose({
      parts: [
        { stream: 'cam', kind: 'video', rendition: { video: { codec: 'h264', width: 320 } } },
        { stream: 'cam', kind: 'audio' },
      ],
    });
    return { trial, composition, makers };
  }

  it.each([0, 100, 1500])('of %d ms: sound and picture leave together, with a latency that stays', (ms) => {
    const { trial } = burned(() => ms + 0.001);
    trial.publish('cam', 'both', { ptsSeconds: 9 });
    trial.advance(60_000);
    expect(trial.skew(0)).toBeLessThan(0.01);
    expect(trial.disorder(5000)).toBeLessThanOrEqual(1);
    for (const kind of ['video', 'audio']) {
      const [least, most] = trial.latency(kind, 5000);
      expect(least).toBeGreaterThanOrEqual(ms - 1);
      expect(most).toBeLessThanOrEqual(ms + 51);
    }
    expect(trial.count('video', 0)).toBeGreaterThan(1450);
    const pts = trial.seen.filter(({ kind }) => kind === 'video').map(({ unit }) => unit.pts);
    expect(pts[0]).toBe(9 * 90_000);
  });

  it('keeps no more than its bounds of a new track while the rendition beside it is still to come', async () => {
    const trial = new ComposedTrial({ startRendition: () => () => {} });
    const composition = trial.compose({
      parts: [{ stream: 'cam', rendition: { audio: { codec: 'opus' } } }],
      holdMs: 3000,
    });
    const before = trial.publication('cam', [video, audio]);
    const opus = { ...audio.format, codec: 'opus' as const };
    trial.hub.get('cam')!.renditions.announce(audio.id, { ...audio, id: FIRST_MADE_ID, format: opus });
    await new Promise(setImmediate);
    for (let n = 0; n < 25; n++) {
      before.write(picture(n, { start: trial.began, track: video }));
      trial.advance(40);
    }
    expect(trial.states.at(-1)).toBe('running');
    before.close('Another codec.');
    const h265 = { ...video, format: { ...video.format, codec: 'h265' as const } };
    const after = trial.publication('cam', [h265, audio]);
    for (let n = 25; n < 525; n++) {
      after.write(picture(n, { start: trial.began, track: h265 }));
      trial.advance(40);
    }
    // 20 s came, and 3 s may wait.
    expect(composition.status.parts[0]!.discarded).toBeGreaterThan(400);
  });

  it('copies what is so already', async () => {
    const { trial, makers } = burned(() => 0);
    const { hub, clock } = trial;
    trial.publish('cam', 'both');
    const audioToo = { codec: 'aac', sampleRate: 48_000 } as const;
    const rendition = { video: { codec: 'h264' }, audio: audioToo } as const;
    new Composition(
      { name: 'same', parts: [{ stream: 'cam', rendition }] },
      { hub, clock, onState: () => {} },
    );
    trial.advance(1000);
    expect(hub.get('same')!.tracks.map(({ id }) => id)).toEqual([0, 1]);
    expect(makers).toHaveLength(1);
  });

  it('fails with it, and holds it no longer than it lives', async () => {
    const { trial, composition, makers } = burned(() => 10);
    trial.publish('cam', 'both');
    trial.advance(2000);
    await Promise.resolve();
    expect(trial.states.at(-1)).toBe('running');
    makers[0]!.fail('its worker crashed.');
    await new Promise(setImmediate);
    expect(composition.status).toMatchObject({ state: 'failed', code: 'RENDITION_FAILED' });
    expect(trial.hub.get('cam')!.renditions.count).toBe(1);
    await composition.close('Enough.');
    expect(trial.hub.get('cam')!.renditions.count).toBe(0);
  });
});
