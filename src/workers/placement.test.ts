import { describe, expect, it } from 'vitest';
import { type Candidate, place, type WorkerRole } from './placement.ts';

const worker = (role: WorkerRole, affinities: string[], healthy = true): Candidate => ({
  role,
  healthy,
  load: affinities.length,
  affinities: new Set(affinities),
});

describe('place', () => {
  it('keeps tasks with the same key together, however loaded their worker is', () => {
    const busy = worker('pipeline', ['yard', 'yard', 'gate']);
    expect(place([worker('pipeline', []), busy], 'pipeline', 'yard', 8)).toBe(busy);
  });

  it('never lets a source, a pipeline and a sink share a worker', () => {
    const source = worker('source', ['yard']);
    expect(place([source], 'pipeline', 'yard', 2)).toBeUndefined();
    expect(place([source, worker('pipeline', ['yard'])], 'sink', 'yard', 2)).toBeUndefined();
  });

  it('uses an idle worker before it starts another one', () => {
    const idle = worker('pipeline', []);
    expect(place([worker('pipeline', ['yard']), idle], 'pipeline', 'gate', 8)).toBe(idle);
  });

  it('starts a worker per stream to decode while there may be more, then takes the least loaded', () => {
    const workers = [worker('source', ['a']), worker('pipeline', ['a', 'b']), worker('pipeline', ['c'])];
    expect(place(workers, 'pipeline', 'd', 4)).toBeUndefined();
    expect(place(workers, 'pipeline', 'd', 3)).toBe(workers[2]);
  });

  it('lets sources share a worker', () => {
    const source = worker('source', ['a', 'b', 'c']);
    expect(place([source], 'source', 'd', 8)).toBe(source);
  });

  it('keeps a place for the other role', () => {
    const pipelines = [worker('pipeline', ['a'])];
    expect(place(pipelines, 'pipeline', 'b', 2)).toBe(pipelines[0]);
    expect(place(pipelines, 'source', 'b', 2)).toBeUndefined();
  });

  it('avoids a worker that is waiting to be restarted', () => {
    const sick = worker('source', [], false);
    const well = worker('source', ['a']);
    expect(place([sick, well], 'source', 'b', 4)).toBe(well);
    expect(place([sick], 'source', 'b', 4)).toBeUndefined();
    expect(place([sick], 'source', 'b', 1)).toBe(sick);
  });
});
