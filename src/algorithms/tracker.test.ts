import { expect, test } from 'vitest';
import reference from '../../test/fixtures/nanodet-people.json' with { type: 'json' };
import type { Box, Detection, ResultObject } from './contract.ts';
import { intersectionOverUnion } from './geometry.ts';
import { Tracker } from './tracker.ts';

/** A person of 0.05 × 0.2 around a centre. */
function person(x: number, y = 0.5, score = 0.8, label = 'person'): Detection {
  return { label, score, box: [x - 0.025, y - 0.1, 0.05, 0.2] };
}

/** Small, repeatable disturbances of a measurement, up to ± `size`. */
function jitter(seed: number, size: number): number {
  return size * Math.sin(seed * 12.9898) * Math.cos(seed * 78.233);
}

interface Step {
  readonly seconds: number;
  readonly detections: readonly Detection[];
}

function follow(steps: Iterable<Step>, threshold = 0.5): ResultObject[][] {
  const tracker = new Tracker({ threshold });
  return Array.from(steps, ({ seconds, detections }) =>
    tracker.update(Math.round(seconds * 90_000), detections),
  );
}

function every(
  interval: number,
  count: number,
  scene: (seconds: number, n: number) => readonly Detection[],
): Step[] {
  return Array.from({ length: count }, (_, n) => ({
    seconds: n * interval,
    detections: scene(n * interval, n),
  }));
}

function ids(results: readonly (readonly ResultObject[])[]): number[] {
  return [...new Set(results.flat().map(({ id }) => id ?? 0))];
}

test('a walking person keeps one identity at intervals from 40 ms to 1 s', () => {
  for (const interval of [0.04, 0.2, 0.5, 1]) {
    const results = follow(
      every(interval, Math.floor(6 / interval), (t, n) => [person(0.1 + 0.12 * t, 0.5 + jitter(n, 0.005))]),
    );
    expect(ids(results), `interval ${interval}`).toEqual([1]);
    expect(results.every((objects) => objects.length === 1 && objects[0]?.observed)).toBe(true);
  }
});

test('a walking person keeps one identity when the intervals change all the time', () => {
  const intervals = [0.04, 0.04, 1, 0.2, 0.6, 0.04, 0.9, 0.3, 1, 0.04];
  let seconds = 0;
  const steps = intervals.map((interval) => {
    seconds += interval;
    return { seconds, detections: [person(0.1 + 0.12 * seconds)] };
  });
  expect(ids(follow(steps))).toEqual([1]);
});

test('two people who cross keep their identities', () => {
  const results = follow(
    every(0.2, 30, (t, n) => [
      person(0.2 + 0.1 * t + jitter(n, 0.003), 0.5),
      person(0.8 - 0.1 * t + jitter(n + 50, 0.003), 0.53),
    ]),
  );
  expect(ids(results)).toEqual([1, 2]);
  for (const objects of results) expect(objects.map(({ id }) => id)).toEqual([1, 2]);
});

test('of two who cross, one unseen behind the other for half a second comes back as itself', () => {
  const results = follow(
    every(0.1, 60, (t) => {
      const front = person(0.2 + 0.1 * t);
      const behind = person(0.8 - 0.1 * t);
      const hidden = intersectionOverUnion(front.box, behind.box) > 0.3;
      return hidden ? [front] : [front, behind];
    }),
  );
  const last = results.at(-1) ?? [];
  expect(last.map(({ id }) => id)).toEqual([1, 2]);
  expect(ids(results)).toEqual([1, 2]);
});

test('who was out of sight for 0.8 s is known again where the motion leads, and after 2 s is somebody new', () => {
  const walk = (from: number, to: number) =>
    follow(every(0.2, 30, (t) => (t > from && t < to ? [] : [person(0.1 + 0.12 * t)])));
  expect(ids(walk(2.1, 2.9))).toEqual([1]);
  expect(ids(walk(2.1, 4.1))).toEqual([1, 2]);
});

test('a score that dips under the threshold does not make an object flicker', () => {
  const results = follow(every(0.2, 20, (t, n) => [person(0.1 + 0.1 * t, 0.5, n % 3 === 0 ? 0.6 : 0.3)]));
  expect(ids(results)).toEqual([1]);
  for (const objects of results) expect(objects).toHaveLength(1);
  expect(results[1]?.[0]).toMatchObject({ score: 0.3, observed: true });
});

test('what was never over the threshold is not reported', () => {
  expect(follow(every(0.2, 20, () => [person(0.5, 0.5, 0.45)])).flat()).toEqual([]);
});

test('one lucky score does not keep a thing for ever', () => {
  const results = follow(every(0.2, 40, (_, n) => [person(0.5, 0.5, n === 5 ? 0.51 : 0.42)]));
  expect(results[10]).toHaveLength(1);
  expect(results.slice(25).flat()).toEqual([]);
});

test('one missed frame is bridged and marked as not observed, a second is not', () => {
  const results = follow(
    every(0.2, 12, (t, n) => (n === 6 || n === 9 || n === 10 ? [] : [person(0.1 + 0.1 * t)])),
  );
  expect(results[6]).toHaveLength(1);
  expect(results[6]?.[0]).toMatchObject({ id: 1, observed: false });
  const [x = 0] = results[6]?.[0]?.box ?? [];
  expect(x + 0.025).toBeCloseTo(0.22, 2);
  expect(results[9]?.[0]?.observed).toBe(false);
  expect(results[10]).toEqual([]);
  expect(results[11]?.[0]).toMatchObject({ id: 1, observed: true });
});

test('nothing is bridged for longer than half a second, or over the edge of the picture', () => {
  expect(follow(every(0.7, 6, (t, n) => (n === 4 ? [] : [person(0.1 + 0.05 * t)])))[4]).toEqual([]);
  const leaving = follow(every(0.2, 12, (t) => (t < 1.95 ? [person(0.5 + 0.25 * t)] : [])));
  expect(leaving[10]).toEqual([]);
});

test('who enters gets the next number, and a number is not given again', () => {
  const results = follow(
    every(0.5, 20, (t) => [
      ...(t < 4 ? [person(0.2)] : []),
      ...(t > 2 && t < 6 ? [person(0.5)] : []),
      ...(t > 7 ? [person(0.2)] : []),
    ]),
  );
  expect(ids(results)).toEqual([1, 2, 3]);
});

test('a person and a bicycle in the same place are two objects', () => {
  const results = follow(
    every(0.2, 20, (t) => [person(0.1 + 0.2 * t), person(0.1 + 0.2 * t, 0.52, 0.7, 'bicycle')]),
  );
  for (const objects of results) {
    expect(objects.map(({ id, label }) => [id, label])).toEqual([
      [1, 'person'],
      [2, 'bicycle'],
    ]);
  }
});

test('a box across two people side by side is nobody, a third person beside them is', () => {
  const pair = (t: number) => [person(0.3 + 0.1 * t), person(0.34 + 0.1 * t)];
  const across: Detection = { label: 'person', score: 0.6, box: [0.388, 0.4, 0.07, 0.2] };
  const results = follow(
    every(0.2, 8, (t, n) => [...pair(t), ...(n === 5 ? [across] : []), ...(n === 7 ? [person(0.56)] : [])]),
  );
  expect(results[5]).toHaveLength(2);
  expect(results[7]?.map(({ id }) => id)).toEqual([1, 2, 3]);
});

test('measured boxes and attributes are passed on as they are', () => {
  const seen = { ...person(0.3), attributes: { helmet: false } };
  const [first] = new Tracker({ threshold: 0.5 }).update(0, [seen]);
  expect(first).toEqual({ ...seen, id: 1, observed: true });
});

test('a step back in time begins anew with new identities', () => {
  const tracker = new Tracker({ threshold: 0.5 });
  tracker.update(900_000, [person(0.5)]);
  expect(tracker.update(0, [person(0.5)])[0]?.id).toBe(2);
});

test('a frame given twice changes nothing', () => {
  const tracker = new Tracker({ threshold: 0.5 });
  const first = tracker.update(0, [person(0.5)]);
  expect(tracker.update(0, [person(0.5)])).toEqual(first);
});

/** Real detections of NanoDet on 12 s of a street, 5 frames per second; about ten people walk through. */
test('people in a real street keep their identities', () => {
  const people = ([left, top, right, bottom]: readonly number[]): Box => {
    const [x = 0, y = 0] = [left, top];
    return [x / 768, y / 576, ((right ?? 0) - x) / 768, ((bottom ?? 0) - y) / 576];
  };
  const results = follow(
    reference.map(({ frame, people: seen }) => ({
      seconds: frame / 10,
      detections: seen
        .filter(({ score }) => score >= 0.25)
        .map(({ score, box }) => ({ label: 'person', score, box: people(box) })),
    })),
  );
  const lives = Map.groupBy(
    results.flatMap((objects, frame) => objects.map((object) => ({ frame, ...object }))),
    ({ id }) => id,
  );
  const sure = reference.flatMap(({ people: seen }) => seen).filter(({ score }) => score >= 0.5).length;
  const observed = results.flat().filter((object) => object.observed).length;
  // The weak detections of known people outnumber the sure ones that are nobody.
  expect(observed).toBeGreaterThanOrEqual(sure);
  // Few identities, and none that lives only for a moment (those of the last second aside).
  expect(lives.size).toBeLessThanOrEqual(11);
  const brief = [...lives.values()].filter((life) => life.length < 5 && (life[0]?.frame ?? 0) < 55);
  expect(brief).toEqual([]);
  for (const [id, life] of lives) {
    life.forEach((object, index) => {
      const before = life[index - 1];
      if (before === undefined) return;
      // Nobody gets through a twelfth of the picture in a fifth of a second: that would be another person.
      const step = Math.hypot(
        object.box[0] + object.box[2] / 2 - before.box[0] - before.box[2] / 2,
        object.box[1] + object.box[3] / 2 - before.box[1] - before.box[3] / 2,
      );
      expect(step / (object.frame - before.frame), `object ${id}, frame ${object.frame}`).toBeLessThan(0.08);
    });
  }
});
