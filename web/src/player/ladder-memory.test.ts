import { describe, expect, it } from 'vitest';
import type { Rung, Setback, Standing } from './ladder.ts';
import { LadderMemory } from './ladder-memory.ts';

function storage(): Pick<Storage, 'getItem' | 'setItem'> & { values: Map<string, string> } {
  const values = new Map<string, string>();
  return {
    values,
    getItem: (key) => values.get(key) ?? null,
    setItem: (key, value) => void values.set(key, value),
  };
}

function held(setback: Setback, until: number): Standing {
  return { setback, until, failedAt: 0, failures: 1 };
}

function kinds(standings: ReadonlyMap<Rung, Standing>): string[] {
  return [...standings].map(([rung, { setback }]) => `${rung} ${setback.kind}`);
}

describe('LadderMemory', () => {
  it('remembers for a stream what failed on it, and for all streams that UDP is closed', () => {
    const memory = new LadderMemory(storage());
    const standings = new Map([
      ['webrtc', held({ kind: 'udp' }, 60_000)],
      ['mse', held({ kind: 'stalled' }, 60_000)],
    ] as const);
    memory.save('yard', standings, 0);
    expect(kinds(memory.load('yard', 1_000))).toEqual(['webrtc udp', 'mse stalled']);
    expect(kinds(memory.load('gate', 1_000))).toEqual(['webrtc udp']);
    expect(kinds(memory.load('yard', 61_000))).toEqual([]);
  });

  it('believes for ten minutes what lasts as long as the format, and nothing of what is found out anew', () => {
    const memory = new LadderMemory(storage());
    const standings = new Map([
      ['webrtc', held({ kind: 'sound', codec: 'aac' }, Infinity)],
      ['mse', held({ kind: 'missing' }, Infinity)],
      ['hls', held({ kind: 'far' }, Infinity)],
    ] as const);
    memory.save('yard', standings, 0);
    expect(kinds(memory.load('yard', 599_000))).toEqual(['webrtc sound']);
    expect(kinds(memory.load('yard', 601_000))).toEqual([]);
  });

  it('does without a storage, and with one that holds something else', () => {
    expect(new LadderMemory(undefined).load('yard', 0).size).toBe(0);
    const other = storage();
    for (const text of ['{', '{"a":1}', '[["pigeon",{}]]', '[["mse",null]]', '[["mse",{"until":9}]]', '7']) {
      other.values.set('sluice.rungs:yard', text);
      expect(new LadderMemory(other).load('yard', 0).size, text).toBe(0);
    }
  });
});
