import { describe, expect, it } from 'vitest';
import { VirtualClock } from '#util/clock.ts';
import { CrashHistory, selectSuspects } from './crash-history.ts';

describe('CrashHistory', () => {
  it('suspects those that were at work in three crashes within 60 s', () => {
    const clock = new VirtualClock();
    const history = new CrashHistory(clock);
    expect(history.add(['a', 'b', 'c'])).toEqual([]);
    clock.advance(29_000);
    expect(history.add(['b', 'c'])).toEqual([]);
    clock.advance(29_000);
    expect(history.add(['a', 'c', 'd'])).toEqual(['c']);
  });

  it('forgets crashes after 60 s, and all of them when it is told to', () => {
    const clock = new VirtualClock();
    const history = new CrashHistory(clock);
    for (let n = 0; n < 10; n++) {
      expect(history.add(['a'])).toEqual([]);
      clock.advance(31_000);
    }
    history.add(['a']);
    clock.advance(10_000);
    expect(history.add(['a'])).toEqual(['a']);
    history.forget();
    expect(history.add(['a'])).toEqual([]);
  });

  it('suspects nobody of a worker that crashes before it has tasks', () => {
    const history = new CrashHistory(new VirtualClock());
    for (let n = 0; n < 5; n++) expect(history.add([])).toEqual([]);
  });
});

describe('the suspects that move', () => {
  const suspect = (id: string, affinity = id) => ({ id, request: { affinity } });
  const selected = (...suspects: ReturnType<typeof suspect>[]) =>
    selectSuspects(suspects).map(({ id }) => id);

  it('are the newer half, and a single one itself', () => {
    expect(selected(suspect('a'))).toEqual(['a']);
    expect(selected(suspect('a'), suspect('b'))).toEqual(['b']);
    expect(selected(suspect('a'), suspect('b'), suspect('c'))).toEqual(['c']);
    expect(selected(suspect('a'), suspect('b'), suspect('c'), suspect('d'))).toEqual(['c', 'd']);
  });

  it('are whole streams, and tasks of one stream when there is no other', () => {
    expect(selected(suspect('a'), suspect('b', 'yard'), suspect('c', 'yard'))).toEqual(['b', 'c']);
    expect(selected(suspect('b', 'yard'), suspect('c', 'yard'))).toEqual(['c']);
  });
});
