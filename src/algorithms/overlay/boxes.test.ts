import { describe, expect, it } from 'vitest';
import type { Box, Result, ResultObject } from '../contract.ts';
import { boxesFor, INTERPOLATE_TICKS, PREDICT_TICKS } from './boxes.ts';
import { ResultTrack } from './results.ts';

const frame = 3_600;

function person(id: number | undefined, box: Box, observed = true): ResultObject {
  const object = { label: 'person', score: 0.9, box, observed };
  return id === undefined ? object : { ...object, id };
}

function track(...results: [pts: number, ...objects: ResultObject[]][]): ResultTrack {
  const made = new ResultTrack();
  for (const [pts, ...objects] of results) {
    const common = { stream: 's', algorithm: 'people', run: 'r', ntp: 0, width: 640, height: 360 };
    made.add({ ...common, pts, objects, timing: { queueMs: 0, inferMs: 0 } } satisfies Result);
  }
  return made;
}

describe('boxesFor', () => {
  it.each(['live', 'in-step'] as const)(
    'gives a measured box on the frame it was measured on and on no other (%s)',
    (mode) => {
      const results = track(
        [10 * frame, person(1, [0.1, 0.1, 0.2, 0.2])],
        [20 * frame, person(1, [0.3, 0.1, 0.2, 0.2])],
      );
      for (let n = 0; n <= 30; n++) {
        const measured = boxesFor(results, n * frame, mode).filter(({ origin }) => origin === 'measured');
        expect(measured.length, `frame ${n}`).toBe(n === 10 || n === 20 ? 1 : 0);
      }
    },
  );

  it('draws an object that the tracker only supposes as predicted, on its own frame too', () => {
    const results = track([frame, person(1, [0.1, 0.1, 0.2, 0.2], false)]);
    expect(boxesFor(results, frame, 'in-step')[0]?.origin).toBe('predicted');
  });

  it('interpolates the same object between two results in step', () => {
    const results = track(
      [0, person(1, [0.1, 0.2, 0.2, 0.2])],
      [10 * frame, person(1, [0.3, 0.4, 0.4, 0.2])],
    );
    const [box] = boxesFor(results, 5 * frame, 'in-step');
    expect(box?.origin).toBe('interpolated');
    expect(box?.box.map((x) => x.toFixed(3))).toEqual(['0.200', '0.300', '0.300', '0.200']);
  });

  it('never takes objects of different identity, or of none, for each other', () => {
    const results = track([0, person(1, [0, 0, 0.1, 0.1])], [10 * frame, person(2, [0.5, 0, 0.1, 0.1])]);
    expect(boxesFor(results, 4 * frame, 'in-step')).toMatchObject([
      { origin: 'predicted', box: [0, 0, 0.1, 0.1] },
    ]);
    expect(boxesFor(results, 6 * frame, 'in-step')).toEqual([]);
    const anonymous = track(
      [0, person(undefined, [0, 0, 0.1, 0.1])],
      [10 * frame, person(undefined, [0.5, 0, 0.1, 0.1])],
    );
    expect(boxesFor(anonymous, 4 * frame, 'in-step')[0]?.box[0]).toBe(0);
  });

  it('does not interpolate over a gap in which anything may have happened', () => {
    const far = INTERPOLATE_TICKS + frame;
    const results = track([0, person(1, [0, 0, 0.1, 0.1])], [far, person(1, [0.5, 0, 0.1, 0.1])]);
    expect(boxesFor(results, far / 2, 'in-step')).toEqual([]);
  });

  it('predicts from the speed at the live edge, for at most half a second', () => {
    const results = track(
      [0, person(1, [0.1, 0.1, 0.2, 0.2])],
      [10 * frame, person(1, [0.2, 0.1, 0.2, 0.2])],
    );
    const [box] = boxesFor(results, 15 * frame, 'live');
    expect(box?.origin).toBe('predicted');
    expect(box?.box[0]).toBeCloseTo(0.25);
    expect(boxesFor(results, 10 * frame + PREDICT_TICKS, 'live')).toHaveLength(1);
    expect(boxesFor(results, 10 * frame + PREDICT_TICKS + 1, 'live')).toEqual([]);
  });

  it('at the live edge looks only back, even where a later result is known', () => {
    const results = track(
      [0, person(1, [0.1, 0.1, 0.2, 0.2])],
      [10 * frame, person(1, [0.9, 0.1, 0.2, 0.2])],
    );
    expect(boxesFor(results, 5 * frame, 'live')[0]?.box[0]).toBeCloseTo(0.1);
  });

  it('keeps a predicted box inside the picture', () => {
    const results = track([0, person(1, [0.5, 0, 0.2, 0.2])], [5 * frame, person(1, [0.75, 0, 0.2, 0.2])]);
    const box = boxesFor(results, 10 * frame, 'live')[0]?.box ?? [9, 9, 9, 9];
    expect(box[0] + box[2]).toBeLessThanOrEqual(1);
  });

  it('gives nothing before the first result', () => {
    expect(boxesFor(track([10 * frame, person(1, [0, 0, 1, 1])]), 0, 'in-step')).toEqual([]);
  });
});
